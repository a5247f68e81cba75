/**
 * A diffusers folder: `model_index.json`, and a folder a part with its config and weights.
 *
 * Weights of a part are `diffusion_pytorch_model.safetensors` (networks of diffusers) or `model.safetensors`
 * (networks of transformers); with a variant `….fp16.safetensors`; sharded with `….safetensors.index.json`.
 */

import { basename, join, resolve } from "node:path";
import * as v from "valibot";
import type { ClipTextArchitecture, UnetArchitecture, VaeArchitecture } from "./architecture.ts";
import { readClipTextConfig, readConfig, readUnetConfig, readVaeConfig } from "./config.ts";
import { kindOf, type PathKind } from "./files.ts";
import { openSafetensors } from "./safetensors.ts";
import { Weights } from "./weights.ts";

/** A network of a checkpoint: its architecture, and where its weights lie. */
export interface Part<Architecture> {
  readonly architecture: Architecture;
  readonly weights: Weights;
}

/** A checkpoint, opened: headers and configs read, no tensor touched. */
export interface Checkpoint {
  /** Absolute path. */
  readonly path: string;
  readonly textEncoder: Part<ClipTextArchitecture>;
  readonly textEncoder2: Part<ClipTextArchitecture>;
  readonly unet: Part<UnetArchitecture>;
  readonly vae: Part<VaeArchitecture>;
  /** Folders of vocab.json and merges.txt. */
  readonly tokenizer: string;
  readonly tokenizer2: string;
  /** scheduler/scheduler_config.json, where there is one. */
  readonly schedulerConfig: string | undefined;
  /** Whether a missing negative prompt means zeros instead of the empty text's embeddings. */
  readonly forceZerosForEmptyPrompt: boolean;
}

export interface CheckpointOptions {
  /** A .safetensors file with diffusers' names that replaces the U-Net's weights. */
  readonly unet?: string;
  /** The same for the VAE. */
  readonly vae?: string;
}

const modelIndex = v.looseObject({
  _class_name: v.string(),
  force_zeros_for_empty_prompt: v.optional(v.boolean(), true),
});

/**
 * Opens a diffusers folder of SDXL.
 *
 * @throws an error whose message is one sentence: what is wrong, what was looked for.
 */
export async function openFolder(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const folder = resolve(path);
  await wantFolder(folder);
  const indexPath = join(folder, "model_index.json");
  if (await kindOf(indexPath) !== "file") {
    throw new Deno.errors.NotFound(
      `Cannot open ${path} as a model: it has no model_index.json. Wanted: a diffusers folder ` +
        `(model_index.json, unet/, vae/, text_encoder/, text_encoder_2/, tokenizer/, tokenizer_2/).`,
    );
  }
  const index = await readConfig(indexPath, modelIndex);
  if (!index._class_name.startsWith("StableDiffusionXL")) {
    throw new RangeError(
      `Cannot open ${path}: its model_index.json is for ${index._class_name}; wanted is StableDiffusionXLPipeline.`,
    );
  }
  const config = (part: string) => join(folder, part, "config.json");
  // One after the other, so that of several faults the same one is always told.
  const textEncoder = {
    architecture: await readClipTextConfig(config("text_encoder"), false),
    weights: await weightsOf(folder, "text_encoder", "model"),
  };
  const textEncoder2 = {
    architecture: await readClipTextConfig(config("text_encoder_2"), true),
    weights: await weightsOf(folder, "text_encoder_2", "model"),
  };
  const unet = {
    architecture: await readUnetConfig(config("unet")),
    weights: await networkWeights(folder, "unet", options.unet),
  };
  const vae = {
    architecture: await readVaeConfig(config("vae")),
    weights: await networkWeights(folder, "vae", options.vae),
  };
  const schedulerConfig = join(folder, "scheduler", "scheduler_config.json");
  return {
    path: folder,
    textEncoder,
    textEncoder2,
    unet,
    vae,
    tokenizer: join(folder, "tokenizer"),
    tokenizer2: join(folder, "tokenizer_2"),
    schedulerConfig: await kindOf(schedulerConfig) === "file" ? schedulerConfig : undefined,
    forceZerosForEmptyPrompt: index.force_zeros_for_empty_prompt,
  };
}

async function wantFolder(folder: string): Promise<void> {
  const kind: PathKind = await kindOf(folder);
  if (kind === "nothing") throw new Deno.errors.NotFound(`Cannot open ${folder}: it does not exist.`);
  if (kind === "file") {
    throw new Deno.errors.NotADirectory(
      `Cannot open ${folder} as a model: it is a file; wanted is a diffusers folder with a model_index.json.`,
    );
  }
}

function networkWeights(folder: string, name: string, replacement: string | undefined): Promise<Weights> {
  return replacement === undefined
    ? weightsOf(folder, name, "diffusion_pytorch_model")
    : openWeights(name, [resolve(replacement)]);
}

async function openWeights(part: string, paths: readonly string[]): Promise<Weights> {
  // Symlinks are followed here: runtimes refuse external data behind a link that leaves its folder.
  const real = await Promise.all(paths.map(realPath));
  return new Weights(part, await Promise.all(real.map(openSafetensors)));
}

async function realPath(path: string): Promise<string> {
  return await kindOf(path) === "nothing" ? path : await Deno.realPath(path);
}

/** File names of a part's weights, in the order in which they are looked for. */
function candidates(stem: string): readonly string[] {
  return [
    `${stem}.safetensors`,
    `${stem}.safetensors.index.json`,
    `${stem}.fp16.safetensors`,
    `${stem}.safetensors.index.fp16.json`,
    `${stem}.fp16.safetensors.index.json`,
  ];
}

async function weightsOf(folder: string, name: string, stem: string): Promise<Weights> {
  const files = candidates(stem);
  for (const file of files) {
    const path = join(folder, name, file);
    if (await kindOf(path) !== "file") continue;
    return await openWeights(name, file.endsWith(".json") ? await shards(path) : [path]);
  }
  throw new Deno.errors.NotFound(
    `Cannot open the ${name} of ${folder}: no weights in ${join(folder, name)}. Looked for ${files.join(", ")}.`,
  );
}

const shardIndex = v.looseObject({ weight_map: v.record(v.string(), v.string()) });

/** The files that a sharded checkpoint's index names. They lie beside it: a name with a folder in it is refused. */
async function shards(indexPath: string): Promise<readonly string[]> {
  const { weight_map } = await readConfig(indexPath, shardIndex);
  const names = [...new Set(Object.values(weight_map))].sort();
  for (const name of names) {
    if (name !== basename(name) || name.includes("\\") || name === "" || name === "..") {
      throw new RangeError(`Cannot use ${indexPath}: it names "${name}"; shards must be files beside the index.`);
    }
  }
  if (names.length === 0) throw new RangeError(`Cannot use ${indexPath}: its weight_map is empty.`);
  return names.map((name) => join(indexPath, "..", name));
}
