/** Runs that start from a picture, against diffusers'. Golden: tests/goldens/image_start.py. */

import { open, openRecord, type Request, saveRecord, Tensor } from "fewstep";
import { join } from "node:path";
import { close, equal, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath, readGolden } from "../goldens/read.ts";

const golden = readGolden("run-image-start.safetensors");
const MODEL = goldenPath("tiny-sdxl");
const REQUEST: Request = {
  prompt: "snow",
  seed: [5, 6],
  steps: 5,
  strength: 0.6,
  guidance: 3,
  image: golden.get("init_image"),
};

Deno.test("a picture becomes diffusers' latent", async () => {
  await using model = await open(MODEL);
  close((await model.encode(golden.get("init_image"))).data, golden.get("encoded").data, 1e-5, "encoded");
});

Deno.test("from a picture: the last share of the steps, every latent diffusers'", async () => {
  await using model = await open(MODEL);
  let step = await model.begin(REQUEST);
  equal([...step.trajectory.schedule.timesteps], [...golden.get("timesteps").data]);
  for (let i = 0;; i++) {
    close(step.latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`);
    if (step.done) break;
    step = await model.next(step);
  }
  equal(step.count, 3);
});

Deno.test("from a picture: its record goes on to the same bits", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run.safetensors");
    await using model = await open(MODEL);
    const { step } = await model.generate({ ...REQUEST, sampler: "euler-ancestral" });
    await saveRecord(path, { model, step });
    let again = await model.resume(await openRecord(path), { index: 1 });
    while (!again.done) again = await model.next(again);
    equal(again.latent, step.latent);
  }));

const REFUSED: readonly (readonly [string, Partial<Request>, RegExp])[] = [
  ["a strength that leaves no step", { steps: 1, strength: 0.5 }, /strength 0\.5 in 1 step/],
  ["a picture of another size", { size: { width: 32, height: 64 } }, /an image of 64x64 for a picture of 32x64/],
  [
    "a tensor that is no picture",
    { image: Tensor.zeros([1, 2, 64, 64]) },
    /begin from \[1, 2, 64, 64\]: wanted is a picture/,
  ],
  ["pictures that are not one a seed", { image: Tensor.zeros([3, 3, 64, 64]) }, /from 3 pictures for 2 seeds/],
  [
    "a picture between the latent's cells",
    { image: Tensor.zeros([1, 3, 60, 64]) },
    /the height is 60, wanted is a multiple/,
  ],
];

for (const [what, changes, pattern] of REFUSED) {
  Deno.test(`from a picture: refuses ${what} in one sentence`, async () => {
    await using model = await open(MODEL);
    await throwsSentence(() => model.begin({ ...REQUEST, ...changes }), pattern);
  });
}
