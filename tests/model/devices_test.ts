/** Precisions, memory, guidance in two runs, numbers that are none, devices that are not there: on the processor. */

import { join } from "node:path";
import { open, type OpenOptions, type Request } from "fewstep";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import { openSafetensors, readTensor, writeSafetensors } from "fewstep/weights/safetensors.ts";
import { Tensor } from "fewstep/tensor/tensor.ts";
import { close, equal, ok, relativeL2, throwsSentence } from "../assert.ts";
import { copyFolder, inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const MODEL = goldenPath("tiny-sdxl");
const REQUEST: Request = { prompt: "gold", seed: 3, steps: 1, guidance: 3, size: { width: 32, height: 32 } };

async function step(options: OpenOptions = {}, request = REQUEST) {
  await using model = await open(MODEL, { threads: 1, ...options });
  return await model.next(await model.begin(request));
}

/** Runs `body` while the kit's cache is in a folder of its own. */
const inCache = (body: (folder: string) => Promise<void>) =>
  inFolder(async (folder) => {
    const before = Deno.env.get("XDG_CACHE_HOME");
    Deno.env.set("XDG_CACHE_HOME", folder);
    try {
      await body(folder);
    } finally {
      if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
      else Deno.env.set("XDG_CACHE_HOME", before);
    }
  });

Deno.test("fp16 rounds weights, int4 keeps them in blocks: each near float32, and told by the description", () =>
  inCache(async (folder) => {
    const plain = { ...REQUEST, guidance: 0 }; // which multiplies what they differ by
    const { prediction: wanted } = await step({}, plain);
    // Random weights lose 8 % each in 4 bits, in every layer.
    for (const [precision, most] of [["fp16", 2e-3], ["int4", 0.4]] as const) {
      const { prediction } = await step({ precision }, plain);
      const off = relativeL2(prediction.data, wanted.data);
      ok(off < most, `${precision} is ${off} off`);
      ok(precision === "fp16" || off > 1e-3, `${precision} is ${off} off: nothing was quantised`);
    }
    ok([...Deno.readDirSync(join(folder, "fewstep"))].some(({ name }) => name === "int4"), "no int4 weights were kept");
    await using model = await open(MODEL, { precision: "int4" });
    equal(model.description.map(({ part, precision }) => [part, precision]), [
      ["text encoders", "fp32"],
      ["unet", "int4"],
      ["vae", "fp32"],
    ]);
    ok(/blocks of 4 bits/.test(model.description[1].why), model.description[1].why);
  }));

Deno.test("guidance in two runs is guidance in a batch; measured, the first step is the batch's, bit by bit", async () => {
  const batch = await step();
  close((await step({ guidancePasses: "two" })).latent.data, batch.latent.data, 1e-5, "two");
  equal((await step({ guidancePasses: "measured" })).latent.data, batch.latent.data);
});

Deno.test("memory is told by stage, and a run's peak is not below any stage's", async () => {
  await using model = await open(MODEL, { threads: 1 });
  const start = await model.begin(REQUEST);
  equal(Object.keys(start.memory.stages ?? {}), ["text"]);
  const { memory } = await model.generate(REQUEST);
  const stages = Object.entries(memory.stages ?? {});
  equal(stages.map(([name]) => name), ["text", "unet", "vae"]);
  for (const [name, { resident, peak }] of stages) {
    ok(peak >= resident && resident > 1e6 && memory.peak >= peak, `${name}: ${resident}, ${peak} of ${memory.peak}`);
  }
});

Deno.test("lean: a U-Net in pieces gives the latents of the whole", async () => {
  const whole = await step();
  await using model = await open(MODEL, { threads: 1 });
  await using inPieces = await model.on(onnxRuntimeCpu({ threads: 1, memory: "lean", pieces: { whole: 0, piece: 1 } }));
  const made = await inPieces.next(await inPieces.begin(REQUEST));
  close(made.latent.data, whole.latent.data, 1e-5, "latent");
});

Deno.test("a weight that is no number: the sentence names the layer that it spoils first", () =>
  inFolder(async (folder) => {
    await copyFolder(MODEL, folder);
    const path = join(folder, "unet", "diffusion_pytorch_model.safetensors");
    const file = await openSafetensors(path);
    const key = "mid_block.resnets.0.conv2.bias";
    const tensors = new Map<string, Tensor>();
    for (const name of file.tensors.keys()) tensors.set(name, await readTensor(file, name));
    const spoilt = tensors.get(key);
    if (spoilt === undefined) throw new Error(`the tiny model has no ${key}`);
    tensors.set(key, spoilt.map((value, i) => i === 1 ? NaN : value));
    await writeSafetensors(path, tensors);
    await using model = await open(folder, { threads: 1 });
    const start = await model.begin(REQUEST);
    await throwsSentence(
      () => model.next(start),
      /^Cannot go on: the U-Net's output at step 1 .* holds NaN at index \d+\. The first layer to give such is mid_block\.resnets\.0\.conv2\.$/,
    );
  }));

Deno.test("cuda without its provider is refused with the folder where it belongs", async () => {
  await throwsSentence(
    () => open(MODEL, { device: "cuda" }),
    Deno.build.os === "darwin"
      ? /^Cannot compute on cuda: NVIDIA's CUDA is for Linux and Windows/
      : /^Cannot compute on cuda: ONNX Runtime's provider .*providers_cuda.* is not in .*docs\/devices\.md says how/,
  );
});
