import { deepEqual, equal, match, notDeepEqual, rejects } from "node:assert/strict";
import { open } from "../../lib/model/open.ts";
import { tree, treeFigure } from "../../lib/view/tree.ts";
import { matchSnapshot } from "./snapshot.ts";
import { disc } from "./samples.ts";

/** The picture that is held against the snapshot must not change with the models. */
const decode = { decode: () => Promise.resolve(disc(0.5)) };

Deno.test("a tree of variants: the trunk stays, each branch is its own, and one that changes nothing is the run itself", async () => {
  await using model = await open("models/pocket/base", { unet: "models/pocket/lightning_4step_unet.safetensors" });
  const request = {
    prompt: "red apple, wood",
    seed: 3,
    recipe: "lightning-4step",
    sampler: "euler-ancestral",
    unguarded: true,
  } as const;
  const from = await model.next(await model.begin(request));
  const { step: whole } = await model.generate(request);
  const before = from.latent.data.slice();
  const grown = await tree(model, from, {
    "as it began": {},
    "another noise": { noiseSeed: 99 },
    "other words": { prompt: "sunflower, meadow" },
    "without noise": { sampler: "euler" },
  });
  deepEqual(from.latent.data, before);
  const ends = [...grown.branches.values()].map(({ latent }) => latent.data);
  deepEqual(ends[0], whole.latent.data);
  ends.slice(1).forEach((end) => notDeepEqual(end, ends[0]));
  deepEqual((await tree(model, from, { again: { noiseSeed: 99 } })).branches.get("again")?.latent.data, ends[1]);
  const figure = treeFigure(grown, { decode, heading: "Four ways" });
  match(
    await figure.alt(),
    /^Four ways: step 1 of 4 gone on in 4 ways: as it began; another noise; other words; without noise/,
  );
  const { pictures, shapes } = await figure.drawing();
  equal(pictures.length, 1 + 4 * 3);
  equal(shapes?.length, 4);
  await matchSnapshot("tree", await figure.png());
  await rejects(tree(model, whole, { a: {} }), /Cannot branch from step 4 of 4: nothing is left to denoise/);
  await rejects(tree(model, from, {}), /at least one variant/);
});
