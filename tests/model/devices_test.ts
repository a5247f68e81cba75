/** Precisions, memory, guidance in two runs, numbers that are none, devices that are not there: on the processor. */

import { join } from "node:path";
import { open, type OpenOptions, type Request } from "fewstep";
import { webgpuHalf } from "fewstep/graph/lowering.ts";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import type { Runtime } from "fewstep/model/sessions/session.ts";
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

Deno.test("lean gives fast's latents", async () => {
  close((await step({ memory: "lean" })).latent.data, (await step()).latent.data, 1e-5, "latent");
});

const FILES = {
  text_encoder: "text_encoder/model.safetensors",
  text_encoder_2: "text_encoder_2/model.safetensors",
  unet: "unet/diffusion_pytorch_model.safetensors",
  vae: "vae/diffusion_pytorch_model.safetensors",
} as const;

/** The model with one value of one tensor replaced. */
function spoilt(
  part: keyof typeof FILES,
  key: string,
  value: number,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  return inCache(() =>
    inFolder(async (folder) => {
      await copyFolder(MODEL, folder);
      const path = join(folder, FILES[part]);
      const file = await openSafetensors(path);
      const tensors = new Map<string, Tensor>();
      for (const name of file.tensors.keys()) tensors.set(name, await readTensor(file, name));
      const tensor = tensors.get(key);
      if (tensor === undefined) throw new Error(`the tiny model's ${part} has no ${key}`);
      tensors.set(key, tensor.map((old, i) => i === 1 ? value : old));
      await writeSafetensors(path, tensors);
      await body(folder);
    })
  );
}

/** What stands in a sentence for its layer. */
const first = (layer: string) => `The first layer to give such is ${layer.replaceAll(".", "\\.")}\\.$`;

Deno.test("a weight that is no number: the sentence names the layer of the U-Net that it spoils first, in int8 too", () =>
  spoilt("unet", "mid_block.resnets.0.conv2.bias", NaN, async (folder) => {
    for (const precision of ["fp32", "int8"] as const) {
      await using model = await open(folder, { threads: 1, precision });
      const start = await model.begin(REQUEST);
      await throwsSentence(
        () => model.next(start),
        new RegExp(
          "^Cannot go on: the U-Net's output at step 1 .* holds NaN at index \\d+\\. " +
            first("mid_block.resnets.0.conv2"),
        ),
      );
    }
  }));

Deno.test("a linear weight that is no number, or beyond half floats, is not made into fewer bits: its name is told", async () => {
  const key = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight";
  await spoilt("unet", key, NaN, async (folder) => {
    for (const [precision, words] of [["int8", "quantise"], ["int4", "quantise"], ["fp16", "keep"]] as const) {
      await using model = await open(folder, { threads: 1, precision });
      const start = await model.begin(REQUEST);
      await throwsSentence(() => model.next(start), new RegExp(`^Cannot ${words} "${key}".*holds NaN`));
    }
  });
  await spoilt("unet", key, 1e6, async (folder) => {
    await using model = await open(folder, { threads: 1, precision: "fp16" });
    const start = await model.begin(REQUEST);
    await throwsSentence(() => model.next(start), new RegExp(`^Cannot keep "${key}" in half floats: it holds 1000000`));
  });
});

for (const part of ["text_encoder", "text_encoder_2"] as const) {
  Deno.test(`a weight of the ${part} that is no number: its layer is named, before anything is drawn`, () =>
    spoilt(part, "text_model.encoder.layers.0.mlp.fc1.bias", NaN, async (folder) => {
      await using model = await open(folder, { threads: 1 });
      await throwsSentence(
        () => model.begin(REQUEST),
        new RegExp(`^Cannot go on: the ${part}'s .* holds NaN at .*` + first("text_model.encoder.layers.0.mlp.fc1")),
      );
    }));
}

Deno.test("a weight of the VAE that is no number: no black picture, but its layer; whole, in tiles, and encoding", async () => {
  const latent = Tensor.zeros([1, 4, 8, 8]);
  for (
    const [layer, tile] of [["mid_block.resnets.0.conv1", undefined], ["up_blocks.1.resnets.0.conv2", 32]] as const
  ) {
    await spoilt("vae", `decoder.${layer}.bias`, NaN, async (folder) => {
      await using model = await open(folder, { threads: 1 });
      await throwsSentence(
        () => model.decode(latent, { tile }),
        new RegExp("^Cannot go on: the VAE's output holds NaN at .*" + first(`decoder.${layer}`)),
      );
    });
  }
  await spoilt("vae", "encoder.down_blocks.0.resnets.0.conv1.bias", Infinity, async (folder) => {
    await using model = await open(folder, { threads: 1 });
    await throwsSentence(
      () => model.encode(Tensor.zeros([1, 3, 32, 32])),
      new RegExp("^Cannot go on: the VAE encoder's output holds .*" + first("encoder.down_blocks.0.resnets.0.conv1")),
    );
  });
});

Deno.test("what overflows where layers compute in half floats is told with its layer", () =>
  spoilt("text_encoder_2", "text_model.encoder.layers.0.mlp.fc1.bias", 1e5, async (folder) => {
    const runtime: Runtime = { ...onnxRuntimeCpu({ threads: 1 }), reduced: { fp16: webgpuHalf } };
    await using model = await open(folder, { threads: 1, precision: "fp16" });
    await using halves = await model.on(runtime);
    await throwsSentence(
      () => halves.begin(REQUEST),
      new RegExp(first("text_model.encoder.layers.0.mlp.fc1")),
    );
  }));

Deno.test("cuda without its provider is refused with the folder where it belongs", async () => {
  await throwsSentence(
    () => open(MODEL, { device: "cuda" }),
    Deno.build.os === "darwin"
      ? /^Cannot compute on cuda: NVIDIA's CUDA is for Linux and Windows/
      : /^Cannot compute on cuda: ONNX Runtime's provider .*providers_cuda.* is not in .*FEWSTEP_ONNXRUNTIME .*docs\/devices\.md says how/,
  );
});
