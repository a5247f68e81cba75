/** Seeds as other tools read them. Golden: tests/goldens/one_generator.py. */

import { diff, open, openRecord, type Request, saveRecord } from "fewstep";
import { join } from "node:path";
import { close, equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath, readGolden } from "../goldens/read.ts";

const golden = readGolden("run-one-generator.safetensors");
const MODEL = goldenPath("tiny-deep");
const REQUEST: Request = {
  prompt: "gold",
  recipe: "none",
  sampler: "euler-ancestral",
  spacing: "trailing",
  guidance: 0,
  seed: 2 ** 33 + 3,
};
const ONE: Request = { ...REQUEST, noiseHabit: "one-stream", batch: 2, steps: 2, size: { width: 48, height: 64 } };

Deno.test("one generator for the batch: start and ancestral noise are diffusers'", async () => {
  await using model = await open(MODEL);
  const { step } = await model.generate(ONE);
  step.path.forEach(({ latent }, i) =>
    close(latent.data, golden.get("noise/latents").at(i).data, 1e-4, `latents ${i}`)
  );
});

Deno.test("noise in half precision: start and steps are rounded draws, and a record remembers the type", () =>
  inFolder(async (folder) => {
    await using model = await open(MODEL);
    const one: Request = { ...ONE, rng: "cuda", noiseType: "fp16" };
    const { step } = await model.generate(one);
    const whole = (await model.begin({ ...one, noiseType: undefined })).noise;
    equal(step.noise.data, new Float32Array(new Float16Array(whole.data)));
    const path = join(folder, "half.safetensors");
    await saveRecord(path, { model, step });
    const record = await openRecord(path);
    equal([record.request.noiseType, record.request.rng], ["fp16", "cuda"]);
    equal((await model.next(await model.resume(record, { index: 1 }))).latent.data, step.latent.data);
  }));

Deno.test("one generator for the batch, from pictures: the encoder draws first", async () => {
  await using model = await open(MODEL);
  const image = golden.get("init_image");
  const { step } = await model.generate({ ...ONE, size: undefined, image, steps: 4, strength: 0.5 });
  step.path.forEach(({ latent }, i) =>
    close(latent.data, golden.get("picture/latents").at(i).data, 1e-4, `latents ${i}`)
  );
});

Deno.test("a habit's record goes on to the same bits, and a comparison tells the habits apart", () =>
  inFolder(async (folder) => {
    await using model = await open(MODEL);
    const save = async (name: string, changes: Partial<Request>) => {
      const path = join(folder, name);
      const { step } = await model.generate({ ...ONE, ...changes });
      await saveRecord(path, { model, step });
      return { path, step };
    };
    const ours = await save("one.safetensors", {});
    const record = await openRecord(ours.path);
    equal([record.request.noiseHabit, record.request.batch], ["one-stream", 2]);
    const again = await model.next(await model.resume(record, { index: 1 }));
    equal(again.latent, ours.step.latent);

    const counted = await save("counted.safetensors", { noiseHabit: "counted-up", rng: "cuda" });
    const { first, cause } = await diff(ours.path, counted.path);
    equal(first?.key, "noise");
    ok(
      /one\.safetensors drew from .*whole batch \(ComfyUI\), counted\.safetensors from .*A1111/.test(`${cause}`),
      `${cause}`,
    );

    const scaled = await save("scaled.safetensors", { initNoise: "unit-variance" });
    const start = await diff(ours.path, scaled.path);
    equal([start.first?.key, start.first?.step], ["latents", 0]);
    ok(/one multiplies the noise by σ .*the other by √\(σ² \+ 1\)/.test(`${start.cause}`), `${start.cause}`);
  }));

const REFUSED: readonly (readonly [string, Partial<Request>, RegExp])[] = [
  [
    "several seeds for one stream",
    { seed: [1, 2] },
    /one-stream from 2 seeds: it takes one\. Say how many with batch\./,
  ],
  [
    "a batch of one's own generators from one seed",
    { noiseHabit: "each-own" },
    /for 2 pictures from 1 seeds, each its/,
  ],
  ["a batch of half a picture", { batch: 0.5 }, /a batch of 0\.5 pictures: wanted is a whole number/],
  [
    "a scale for noise that lies on a picture",
    { image: golden.get("init_image"), strength: 0.5, initNoise: "sigma" },
    /begin from a picture with sigma noise: .* Leave initNoise out\./,
  ],
];

for (const [what, changes, pattern] of REFUSED) {
  Deno.test(`noise habits: refuses ${what} in one sentence`, async () => {
    await using model = await open(MODEL);
    await throwsSentence(() => model.begin({ ...ONE, ...changes }), pattern);
  });
}
