import { open, openRecord, recipes, type Request, saveRecord, Step, Tensor } from "fewstep";
import { openSafetensors, readTensor, writeSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { close, equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const MODEL = goldenPath("tiny-deep");
const REQUEST: Request = { prompt: "gold fish", seed: 3, recipe: "lightning-4step", size: { width: 64, height: 64 } };

async function finish(step: Step, model: Awaited<ReturnType<typeof open>>): Promise<Step> {
  while (!step.done) step = await model.next(step);
  return step;
}

Deno.test("a step taken twice from the same value gives the same bits, and leaves the value as it was", async () => {
  await using model = await open(MODEL);
  const start = await model.begin(REQUEST);
  const before = start.latent.data.slice();
  const [once, twice] = [await model.next(start), await model.next(start)];
  equal(once.latent, twice.latent);
  equal(start.latent.data, before);
  equal([start.index, once.index, once.previous === start], [0, 1, true]);
});

Deno.test("steps() yields what begin and next give", async () => {
  await using model = await open(MODEL);
  const last = await finish(await model.begin(REQUEST), model);
  const steps = await Array.fromAsync(model.steps(REQUEST));
  equal(steps.map(({ index }) => index), [1, 2, 3, 4]);
  equal(steps[3].latent, last.latent);
  equal(steps[3].path.length, 5);
});

Deno.test("a branch changes what it is told to, from there on", async () => {
  await using model = await open(MODEL);
  const base: Request = { ...REQUEST, recipe: "base", steps: 4, guidance: 0 };
  const one = await model.next(await model.begin(base));
  const [straight, guided] = [await model.next(one), await model.next(one, { guidance: 5 })];
  ok(straight.latent.data.some((value, i) => value !== guided.latent.data[i]), "guidance changed nothing");
  equal(guided.trajectory.guidance, 5);
  equal(guided.trajectory.schedule, straight.trajectory.schedule);
  const other = await model.next(one, { prompt: "snow" });
  ok(straight.latent.data.some((value, i) => value !== other.latent.data[i]), "the prompt changed nothing");
  equal(one.request.prompt, "gold fish");
});

Deno.test("each picture of a batch is the picture that its seed gives alone", async () => {
  await using model = await open(MODEL);
  const both = await model.next(await model.begin({ ...REQUEST, seed: [3, 4] }));
  const alone = await model.next(await model.begin({ ...REQUEST, seed: 4 }));
  equal(both.noise.at(1), alone.noise.at(0));
  const worst = both.latent.at(1).data.reduce((w, x, i) => Math.max(w, Math.abs(x - alone.latent.data[i])), 0);
  ok(worst < 1e-4, `off by ${worst}`);
});

Deno.test("noise that is given takes the seed's place", async () => {
  await using model = await open(MODEL);
  const seeded = await model.begin(REQUEST);
  const given = await model.begin({ ...REQUEST, seed: 99, noise: seeded.noise });
  equal(given.latent, seeded.latent);
  const wrong = Tensor.zeros([1, 4, 16, 16]);
  await throwsSentence(
    () => model.begin({ ...REQUEST, noise: wrong }),
    /noise \[1, 4, 16, 16\]: this request needs \[1, 4, 8, 8\]/,
  );
});

Deno.test("an aborted run stops between two steps, and goes on from the last", async () => {
  await using model = await open(MODEL);
  const stop = new AbortController();
  let last: Step | undefined;
  let reason: unknown;
  try {
    for await (const step of model.steps(REQUEST, { signal: stop.signal })) {
      last = step;
      if (step.index === 2) stop.abort(new Error("enough"));
    }
  } catch (error) {
    reason = error;
  }
  equal(reason instanceof Error && reason.message, "enough");
  equal(last?.index, 2);
  if (last) equal((await finish(last, model)).latent, (await finish(await model.begin(REQUEST), model)).latent);
});

Deno.test("a run goes on from its record in another process, from any step, to the same bits", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run.safetensors");
    let last: Step;
    {
      await using model = await open(MODEL);
      last = await finish(await model.begin(REQUEST), model);
      await saveRecord(path, { model, step: last, image: await model.decode(last) });
    }
    const script = `
      import { open, openRecord } from "fewstep";
      const [model, path, index] = Deno.args;
      await using opened = await open(model);
      let step = await opened.resume(await openRecord(path), { index: Number(index) });
      while (!step.done) step = await opened.next(step);
      console.log(JSON.stringify([...step.latent.data]));
    `;
    for (const index of [0, 2, 4]) {
      const config = new URL("../../deno.json", import.meta.url).pathname;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--config", config, "--ext=ts", "-", MODEL, path, String(index)],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      await new Response(script).body?.pipeTo(child.stdin);
      const { stdout, code } = await child.output();
      equal(code, 0);
      const printed: number[] = JSON.parse(new TextDecoder().decode(stdout));
      equal(Float32Array.from(printed), last.latent.data, `from step ${index}`);
    }
  }));

Deno.test("a branched run is resumed under the request that held at each step", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run.safetensors");
    await using model = await open(MODEL);
    const request: Request = { ...REQUEST, recipe: "base", steps: 4, guidance: 0 };
    const two = await model.next(await model.next(await model.begin(request)));
    const three = await model.next(two, { guidance: 3, prompt: "snow" });
    const last = await model.next(three);
    await saveRecord(path, { model, step: last });
    const record = await openRecord(path);
    equal([record.request.prompt, record.earlier.map(({ until, request }) => [until, request.prompt])], [
      "snow",
      [[1, "gold fish"]],
    ]);
    const again = await model.resume(record, { index: 3 });
    equal([again.request.prompt, again.trajectory.guidance, again.latent], ["snow", 3, three.latent]);
    equal((await model.next(again)).latent, last.latent);
    const early = await model.resume(record, { index: 1 });
    equal([early.request.prompt, early.conditioning.guided], ["gold fish", false]);
    equal((await model.next(early)).latent, two.latent);
  }));

Deno.test("a record holds what the contract says", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run.safetensors");
    await using model = await open(MODEL);
    const request: Request = { ...REQUEST, recipe: "base", steps: 3, guidance: 2, seed: [1, 2n ** 63n] };
    const { step, image } = await model.generate(request);
    await saveRecord(path, { model, step, image });
    const { tensors } = await openSafetensors(path);
    equal(Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, `${dtype} ${shape}`])), {
      noise: "F32 2,4,8,8",
      prompt_embeds: "F32 2,77,32",
      pooled_prompt_embeds: "F32 2,14",
      negative_prompt_embeds: "F32 2,77,32",
      negative_pooled_prompt_embeds: "F32 2,14",
      timesteps: "F32 3",
      sigmas: "F32 4",
      latents: "F32 4,2,4,8,8",
      denoised: "F32 3,2,4,8,8",
      prediction: "F32 3,2,4,8,8",
      image: "F32 2,3,64,64",
    });
    const record = await openRecord(path);
    equal(record.request.seed, [1n, 2n ** 63n]);
    equal(Object.keys(record.digests).sort(), ["text_encoder", "text_encoder_2", "unet", "vae"]);
    equal(record.image, image);
    equal(record.latents.at(3), step.latent);
  }));

Deno.test("a record that is none, of another version, or made with another model is refused", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run.safetensors");
    await using model = await open(MODEL);
    const { step } = await model.generate(REQUEST);
    await saveRecord(path, { model, step });
    const file = await openSafetensors(path);
    const tensors = new Map<string, Tensor>();
    for (const name of file.tensors.keys()) tensors.set(name, await readTensor(file, name));
    const json = JSON.parse(file.metadata.get("fewstep") ?? "{}");
    const rewrite = (changes: Record<string, unknown>, values = tensors) =>
      writeSafetensors(path, values, new Map([["fewstep", JSON.stringify({ ...json, ...changes })]]));

    await rewrite({ version: 2 });
    await throwsSentence(() => openRecord(path), /in its metadata "version" is .*reads version 1/);
    await rewrite({}, new Map([...tensors].filter(([name]) => name !== "latents")));
    await throwsSentence(() => openRecord(path), /it has no tensor "latents"/);
    await rewrite({}, new Map([...tensors, ["noise", Tensor.zeros([1, 4, 4, 4])]]));
    await throwsSentence(() => openRecord(path), /"noise" is \[1, 4, 4, 4\], its other tensors ask for \[1, 4, 8, 8\]/);
    await rewrite({}, new Map([...tensors, ["prediction", Tensor.zeros([4, 1, 4, 8, 8])]]));
    const strange = await openRecord(path);
    await throwsSentence(() => model.resume(strange), /makes other latents at step 1/);
    await throwsSentence(() => model.resume(strange, { index: 5 }), /the record holds steps 0 to 4/);
    await rewrite({ request: { ...json.request, recipe: "base", steps: 4 } });
    const other = await openRecord(path);
    await throwsSentence(
      () => model.resume(other),
      /the record's timesteps are \[999,749,499,249\], its request makes/,
    );
    await writeSafetensors(path, tensors);
    await throwsSentence(() => openRecord(path), /its metadata has no "fewstep"/);
  }));

const REFUSED: readonly (readonly [string, Partial<Request>, RegExp])[] = [
  ["an unknown recipe", { recipe: "lightning" }, new RegExp(`Known: ${Object.keys(recipes)[0]}, `)],
  [
    "steps that the recipe was not made for",
    { steps: 6 },
    /lightning-4step for 6 steps: .* Allowed: 4 \(or pass unguarded/,
  ],
  ["no steps", { recipe: "base", steps: 0 }, /0 steps: wanted is a whole number from 1 to 1000/],
  [
    "a size between the latent's cells",
    { size: { width: 100, height: 64 } },
    /the width is 100, wanted is a multiple of 8/,
  ],
  ["no seeds", { seed: [] }, /the list of seeds is empty/],
  ["a seed with a fraction", { seed: 1.5 }, /seed 1\.5: it is not a whole number/],
];

for (const [what, changes, pattern] of REFUSED) {
  Deno.test(`refuses ${what} in one sentence`, async () => {
    await using model = await open(MODEL);
    await throwsSentence(() => model.begin({ ...REQUEST, ...changes }), pattern);
  });
}

Deno.test("an empty prompt is fine; step 0 has no prediction; after the last step there is no next", async () => {
  await using model = await open(MODEL);
  const start = await model.begin({ ...REQUEST, prompt: "" });
  await throwsSentence(() => start.denoised, /Cannot read denoised of step 0: the network has not run yet/);
  await throwsSentence(async () => await model.next(await finish(start, model)), /Cannot take step 5 of 4/);
});

Deno.test("NaN is named, not drawn", async () => {
  await using model = await open(MODEL);
  const noise = Tensor.zeros([1, 4, 8, 8]).map((_, i) => i === 7 ? NaN : 0);
  const start = await model.begin({ ...REQUEST, noise });
  await throwsSentence(() => model.next(start), /the U-Net's output at step 1 \(timestep 999\) holds NaN at index/);
  await throwsSentence(() => model.decode(noise), /the latent holds NaN at index 7/);
  await throwsSentence(
    () => model.decode(Tensor.zeros([1, 3, 8, 8])),
    /Cannot decode \[1, 3, 8, 8\]: wanted latents \[batch, 4,/,
  );
});

Deno.test("lean holds one part at a time and gives the same picture; a closed model says so", async () => {
  const images: Tensor[] = [];
  for (const memory of ["fast", "lean"] as const) {
    await using model = await open(MODEL, { memory });
    images.push((await model.generate(REQUEST)).image);
  }
  close(images[1].data, images[0].data, 1e-5, "the picture"); // other kernels round otherwise
  const model = await open(MODEL);
  const start = await model.begin(REQUEST);
  await model.close();
  await throwsSentence(() => model.next(start), /Cannot run the unet: the model was closed/);
});

Deno.test("a prompt above 77 tokens is cut, and the user told what", async () => {
  const warnings: string[] = [];
  await using model = await open(MODEL, { warn: (message) => warnings.push(message) });
  await model.begin({ ...REQUEST, prompt: `${"gold ".repeat(200)}zebra` });
  ok(warnings.length > 0 && warnings[0].includes("zebra"), `warnings: ${warnings}`);
});
