/** Inpainting against diffusers' StableDiffusionXLInpaintPipeline with a U-Net of 4 channels. Golden: tests/goldens/inpaint.py. */

import { open, openRecord, type Request, saveRecord, Tensor } from "fewstep";
import { join } from "node:path";
import { close, equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { readGolden } from "../goldens/read.ts";

const golden = readGolden("run-inpaint-pocket.safetensors");
const MODEL = new URL("../../models/pocket/base", import.meta.url).pathname;
const REQUEST: Request = {
  prompt: "sunflower, meadow",
  seed: [5, 2 ** 40 + 6],
  image: readGolden("run-pocket-lightning.safetensors").get("image"),
  mask: golden.get("mask_image"),
  spacing: "trailing",
};

const RUNS: Readonly<Record<string, Partial<Request>>> = {
  ancestral: { sampler: "euler-ancestral", steps: 4, strength: 0.75, guidance: 3 },
  euler: { steps: 3, strength: 1, guidance: 2 },
  lcm: { sampler: "lcm", spacing: "lcm", steps: 2, guidance: 0 },
};

for (const [name, run] of Object.entries(RUNS)) {
  Deno.test(`inpainting, ${name}: every latent is diffusers', noise from each picture's own generator`, async () => {
    await using model = await open(MODEL);
    let step = await model.begin({ ...REQUEST, ...run });
    equal([...step.trajectory.schedule.timesteps], [...golden.get(`${name}/timesteps`).data]);
    for (let i = 0;; i++) {
      close(step.latent.data, golden.get(`${name}/latents`).at(i).data, 1e-4, `latents ${i}`);
      if (step.done) break;
      step = await model.next(step);
    }
  });
}

Deno.test("inpainting: what the mask leaves out is the picture's own latent, to the bit; its record goes on to the same bits", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run.safetensors");
    await using model = await open(MODEL);
    const { step } = await model.generate({ ...REQUEST, ...RUNS.ancestral });
    const { inpainting } = step;
    ok(inpainting !== undefined, "nothing was inpainted");
    const { original, mask } = inpainting ?? { original: step.noise, mask: step.noise };
    const [kept, drawn] = [0, 1].map((side) => [...mask.data.keys()].filter((i) => mask.data[i] === side));
    ok(kept.length > 100 && drawn.length > 100, `${kept.length} kept, ${drawn.length} drawn`);
    equal(kept.map((i) => step.latent.data[i]), kept.map((i) => original.data[i]));
    ok(drawn.every((i) => step.latent.data[i] !== original.data[i]), "drawn anew, yet the same");

    await saveRecord(path, { model, step });
    const record = await openRecord(path);
    equal(record.request.mask, REQUEST.mask);
    let again = await model.resume(record, { index: 1 });
    while (!again.done) again = await model.next(again);
    equal(again.latent, step.latent);
  }));

Deno.test("inpainting: a branch keeps the same parts", async () => {
  await using model = await open(MODEL);
  const first = await model.next(await model.begin({ ...REQUEST, ...RUNS.euler }));
  let step = await model.next(first, { prompt: "an owl", sampler: "dpmpp-2m" });
  while (!step.done) step = await model.next(step);
  const { original, mask } = first.inpainting ?? { original: step.noise, mask: step.noise };
  const kept = [...mask.data.keys()].filter((i) => mask.data[i] === 0);
  equal(kept.map((i) => step.latent.data[i]), kept.map((i) => original.data[i]));
});

const REFUSED: readonly (readonly [string, Partial<Request>, RegExp])[] = [
  ["a mask without an image", { image: undefined }, /Cannot inpaint without an image: .* Give one\./],
  [
    "a mask of another size",
    { mask: Tensor.zeros([1, 1, 120, 128]) },
    /mask with \[1, 1, 120, 128\]: wanted is a pict/,
  ],
  ["masks that are not one a seed", { mask: Tensor.zeros([3, 1, 128, 128]) }, /wanted is .* \[1 or 2, 1 or 3, height/],
  ["a mask of two colours", { mask: Tensor.zeros([1, 2, 128, 128]) }, /mask with \[1, 2, 128, 128\]/],
];

for (const [what, changes, pattern] of REFUSED) {
  Deno.test(`inpainting: refuses ${what} in one sentence`, async () => {
    await using model = await open(MODEL);
    await throwsSentence(() => model.begin({ ...REQUEST, ...changes }), pattern);
  });
}
