/** `deno task generate`: one request, from the command line to a picture. */

import { INIT_NOISES, PREDICTIONS, recipes, SAMPLER_NAMES, SPACINGS } from "../diffusion/mod.ts";
import type { Model } from "../model/model.ts";
import type { Generated } from "../model/step.ts";
import type { OpenOptions } from "../model/open.ts";
import { GUIDANCE_PASSES } from "../model/guidance_passes.ts";
import { type Precision, PRECISIONS } from "../model/precision.ts";
import type { PartDescription } from "../model/prepared.ts";
import type { Request } from "../model/request.ts";
import { DEVICES } from "../model/sessions/devices.ts";
import { NOISE_HABITS } from "../tensor/random/habits.ts";
import { NOISE_TYPES } from "../tensor/random/generator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Arguments, type Command, main, type Running, UsageError } from "./args.ts";
import { loraOf } from "./lora.ts";
import { MODEL_OPTIONS } from "./model_options.ts";
import { outputFiles, wantWritable } from "./output.ts";
import { seedsOf, sizeOf } from "./values.ts";

/** Names in lines of up to 80 letters, for the help. */
function inLines(names: readonly string[]): string {
  const lines: string[] = [];
  for (const name of names) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]}, ${name}` : name;
    if (longer.length > 80) lines[lines.length - 1] += ",";
    if (lines.length === 0 || longer.length > 80) lines.push(name);
    else lines[lines.length - 1] = longer;
  }
  return lines.join("\n");
}

export const generate: Command = {
  name: "generate",
  about: "Makes a picture of a prompt with an SDXL checkpoint, as it was published.",
  options: {
    ...MODEL_OPTIONS,
    tokenizer: { value: "DIR", about: "vocabularies, for a single file whose own is not CLIP's" },
    lora: { value: "FILE[=STRENGTH]", about: "a LoRA, default strength 1; may be given several times", multiple: true },
    "lora-mode": {
      value: "NAME",
      about: "branch (default): beside the weights, which stay as they lie; fuse: into them",
    },
    recipe: {
      value: "NAME",
      about: `how the model wants to be run, default base:\n${inLines(Object.keys(recipes))}`,
    },
    sampler: { value: "NAME", about: `${inLines(SAMPLER_NAMES)};\noverrides the recipe, as the next five do` },
    spacing: { value: "NAME", about: inLines(SPACINGS) },
    prediction: { value: "NAME", about: `what the network's output means: ${PREDICTIONS.join(", ")}` },
    steps: { value: "N", about: "denoising steps" },
    eta: { value: "E", about: "how much noise comes back, for samplers with a choice: ddim, tcd" },
    guidance: { value: "G", about: "guidance scale; 0 and 1 run the prompt alone" },
    unguarded: { about: "run what the recipe's weights were not made for" },
    prompt: { value: "TEXT", about: "what to draw; may be empty" },
    negative: { value: "TEXT", about: "what guidance pushes away from" },
    seed: { value: "N[,N…]", about: "one picture a seed; default 0" },
    rng: { value: "NAME", about: "torch's generator of that device: cpu, cuda; default cpu" },
    "noise-type": { value: "NAME", about: "what a pipeline there draws noise in: fp32 (default), fp16, bf16" },
    "noise-habit": {
      value: "NAME",
      about: "each-own (default): a generator a seed, as diffusers; one-stream: one for the whole\n" +
        "batch, as ComfyUI; counted-up: seed, seed + 1, …, as A1111 with --rng cuda",
    },
    batch: { value: "N", about: "with one-stream and counted-up: how many pictures of the one seed" },
    "init-noise": {
      value: "NAME",
      about: "noise begins times: sigma (diffusers' trailing), unit-variance, √(σ² + 1) (ComfyUI);\n" +
        "default as the tool does whose spacing it is",
    },
    size: { value: "WxH", about: "pixels; default the model's, or its recipe's where a single file tells none" },
    image: { value: "FILE", about: "a picture to begin from, .png, .webp or .jpg" },
    mask: { value: "FILE", about: "with --image: a picture of its size, white where it is drawn anew" },
    strength: {
      value: "S",
      about: "with --image: the share of the steps that is taken, 0 to 1; default 0.3, with --mask 1",
    },
    noise: { value: "FILE", about: "a .safetensors with `noise` [batch, 4, h, w], used in place of the seed" },
    device: { value: "NAME", about: `where to compute, default cpu:\n${inLines(DEVICES)}` },
    precision: {
      value: "NAME",
      about: "what to compute in: fp32 (default); fp16, bf16, half floats where the device has them; int8,\n" +
        "the U-Net's layers in 8 bits; int4, its linear layers' weights in 4 bits",
    },
    memory: {
      value: "NAME",
      about: "fast (default) keeps U-Net and VAE loaded; lean holds one part at a time, and its weights\n" +
        "stay in their file",
    },
    "guidance-passes": {
      value: "NAME",
      about: "guidance as one batch (default), as two runs, or measured: whichever is faster here",
    },
    out: { value: "FILE", about: "the picture, .png or .webp; with several seeds FILE-0.png, FILE-1.png, …" },
    record: { value: "FILE", about: "the whole run, as .safetensors" },
    json: { about: "print one JSON object: files, milliseconds, memory, digest of the last latent" },
  },
  examples: [
    'deno task generate --model models/pocket/base --prompt "sunflower, meadow" --out sunflower.png',
    "deno task generate --model models/pocket/base --unet models/pocket/lightning_4step_unet.safetensors \\",
    '    --recipe lightning-4step --prompt "a tiger face, crown, neon lights" --seed 1,2,3 --out tiger.png',
  ],
  run,
};

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const path = args.required(
    "model",
    "a diffusers folder or a .safetensors checkpoint, for example models/pocket/base",
  );
  const out = args.text("out");
  const recordPath = args.text("record");
  if (out === undefined && recordPath === undefined && !args.has("json")) {
    throw new UsageError("Missing --out: where the picture goes, for example picture.png; --record or --json do too.");
  }
  const options = openOptions(args);
  const request = await requestOf(args);
  const { batchOf } = await import("../model/request.ts");
  const pictures = out === undefined ? [] : outputFiles(out, batchOf(request));
  await wantWritable([...pictures, ...recordPath === undefined ? [] : [recordPath]]);

  const began = performance.now();
  const { open } = await import("../model/open.ts");
  await using model = await open(path, options);
  const opened = performance.now();
  const made = await generateWithProgress(model, request, signal);
  const computed = performance.now();

  const { savePicture } = await import("../view/picture.ts");
  const { latentDigest, provenanceOf } = await import("../model/provenance.ts");
  const { rememberedSha256 } = await import("../weights/remembered.ts");
  for (const [index, file] of pictures.entries()) {
    const provenance = await provenanceOf({ model, step: made.step, picture: index }, { digest: rememberedSha256 });
    await savePicture(made.image.slice(index, index + 1), file, { provenance });
  }
  if (recordPath !== undefined) {
    const { saveRecord } = await import("../model/record.ts");
    await saveRecord(recordPath, { model, step: made.step, image: made.image });
  }
  const files = recordPath === undefined ? pictures : [...pictures, recordPath];
  const ended = performance.now();
  if (!args.has("json")) {
    for (const file of files) console.log(file);
    return;
  }
  const milliseconds = { open: opened - began, save: ended - computed, total: ended - began };
  const digest = await latentDigest(made.step);
  const { precision, description } = model;
  console.log(JSON.stringify(report(made, { files, digest, milliseconds, precision, description }), null, 2));
}

function openOptions(args: Arguments): OpenOptions {
  return {
    unet: args.text("unet"),
    vae: args.text("vae"),
    tokenizer: args.text("tokenizer"),
    loras: args.texts("lora").map(loraOf),
    loraMode: args.oneOf("lora-mode", ["branch", "fuse"]),
    device: args.oneOf("device", DEVICES),
    precision: args.oneOf("precision", PRECISIONS),
    memory: args.oneOf("memory", ["fast", "lean"]),
    guidancePasses: args.oneOf("guidance-passes", GUIDANCE_PASSES),
    warn: (message) => console.error(message),
  };
}

async function requestOf(args: Arguments): Promise<Request> {
  const noise = args.text("noise");
  if (noise !== undefined && args.has("seed")) {
    throw new UsageError("Cannot use --seed with --noise: the noise is the start. Wanted is one of them.");
  }
  const image = args.text("image");
  if (image === undefined && args.has("strength")) {
    throw new UsageError(
      "Cannot use --strength alone: it says how far to go from a picture. Give one with --image FILE.",
    );
  }
  const mask = args.text("mask");
  if (image === undefined && mask !== undefined) {
    throw new UsageError(
      "Cannot use --mask alone: it says which part of a picture to draw anew. Give one with --image FILE.",
    );
  }
  return {
    prompt: args.required("prompt", 'what to draw, for example --prompt "sunflower, meadow"; "" draws anything'),
    negative: args.text("negative"),
    seed: noise === undefined ? seedsOf("seed", args.text("seed") ?? "0") : undefined,
    rng: args.oneOf("rng", ["cpu", "cuda"]),
    noiseType: args.oneOf("noise-type", NOISE_TYPES),
    noiseHabit: args.oneOf("noise-habit", NOISE_HABITS),
    batch: args.number("batch", "a whole number from 1", { whole: true, least: 1 }),
    initNoise: args.oneOf("init-noise", INIT_NOISES),
    noise: noise === undefined ? undefined : await readNoise(noise),
    image: image === undefined ? undefined : await readImage(image),
    mask: mask === undefined ? undefined : await readImage(mask),
    strength: image === undefined
      ? undefined
      : args.number("strength", "a number from 0 to 1", { least: 0 }) ?? (mask === undefined ? STRENGTH : 1),
    recipe: args.oneOf("recipe", Object.keys(recipes)),
    sampler: args.oneOf("sampler", SAMPLER_NAMES),
    spacing: args.oneOf("spacing", SPACINGS),
    prediction: args.oneOf("prediction", PREDICTIONS),
    steps: args.number("steps", "a whole number from 1", { whole: true, least: 1 }),
    eta: args.number("eta", "a number from 0", { least: 0 }),
    guidance: args.number("guidance", "a number from 0", { least: 0 }),
    size: sizeOf("size", args.text("size")),
    unguarded: args.has("unguarded"),
  };
}

/**
 * diffusers' default for SDXL's image-to-image pipeline. Inpainting takes all steps: diffusers' 0.9999 rounds down to
 * one less, and of one step leaves none.
 */
const STRENGTH = 0.3;

async function readImage(path: string): Promise<Tensor> {
  const { readPicture } = await import("../view/picture.ts");
  return await readPicture(path);
}

async function readNoise(path: string): Promise<Tensor> {
  const { openSafetensors, readTensor } = await import("../weights/safetensors.ts");
  return await readTensor(await openSafetensors(path), "noise");
}

async function generateWithProgress(model: Model, request: Request, signal: AbortSignal): Promise<Generated> {
  const { progress } = await import("../view/progress.ts");
  const recipe = request.recipe ?? "base";
  const bar = await progress({ label: recipe, total: request.steps ?? recipes[recipe].steps });
  try {
    return await model.generate(request, { signal, onStep: () => void bar.advance() });
  } finally {
    await bar.end();
  }
}

/** What --json prints. Seeds are text: they may have 64 bits. */
function report(
  { step, timing, memory }: Generated,
  { files, digest, milliseconds: { open, save, total }, precision, description }: {
    readonly files: readonly string[];
    readonly digest: string;
    readonly milliseconds: { readonly open: number; readonly save: number; readonly total: number };
    readonly precision: Precision;
    readonly description: readonly PartDescription[];
  },
): Record<string, unknown> {
  const taken = step.path.slice(1);
  const { seed = 0 } = step.request;
  return {
    files,
    milliseconds: {
      open,
      begin: timing.begin,
      steps: taken.map(({ timing }) => timing.step),
      unet: taken.map(({ timing }) => timing.unet),
      decode: timing.decode,
      save,
      total,
    },
    precision,
    computed: description,
    memory,
    digest,
    recipe: step.trajectory.recipe,
    seeds: step.request.noise === undefined ? (Array.isArray(seed) ? seed : [seed]).map(String) : [],
  };
}

if (import.meta.main) await main(generate);
