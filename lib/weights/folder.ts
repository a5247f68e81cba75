/**
 * A diffusers folder: `model_index.json`, and a folder a part with its config and weights.
 *
 * Weights of a part are `diffusion_pytorch_model.safetensors` (networks of diffusers) or `model.safetensors`
 * (networks of transformers); with a variant `….fp16.safetensors`; sharded with `….safetensors.index.json`.
 */

import { join, resolve } from "node:path";
import * as v from "valibot";
import { type Contents, NO_MARKERS, type OnFault, type PartName } from "./checkpoint.ts";
import { readClipTextConfig } from "./clip_config.ts";
import { readAutoencoderConfig, readConfig, readUnetConfig } from "./config.ts";
import { kindOf } from "./files.ts";
import { transformersClip } from "./keys/clip.ts";
import type { Rules } from "./keys/rules.ts";
import { oldDiffusersVae } from "./keys/vae.ts";
import { fileNameFault } from "./paths.ts";
import { openSafetensors } from "./safetensors.ts";
import { plain, shown } from "./said.ts";
import { sourcesOf, Weights } from "./weights.ts";

const modelIndex = v.looseObject({
  _class_name: v.string(),
  force_zeros_for_empty_prompt: v.optional(v.boolean(), true),
});

/**
 * Opens a diffusers folder of SDXL. Parts that have no folder are left out: a U-Net-only repository is one too.
 *
 * @param onFault told of a part that cannot be opened, which is then left out
 * @throws an error whose message is one sentence: what is wrong, what was looked for.
 */
export async function openFolder(path: string, onFault?: OnFault): Promise<Contents> {
  const folder = resolve(path);
  const at = (...names: string[]) => join(folder, ...names);
  const alone = await openNetwork(folder);
  if (alone) return alone;
  const index = await readIndex(path, folder);
  const has = async (part: string) => await kindOf(at(part)) === "folder";
  const optional = async <T>(part: PartName, open: (part: string) => Promise<T>): Promise<T | undefined> => {
    if (!await has(part)) return undefined;
    try {
      return await open(part);
    } catch (error) {
      if (onFault === undefined) throw error;
      onFault({ part, error });
    }
  };
  const clip = (projected: boolean) => async (part: string) => ({
    architecture: await readClipTextConfig(at(part, "config.json"), projected),
    weights: await weightsOf(folder, part, "model", transformersClip),
    told: "by config" as const,
  });
  // One after the other, so that of several faults the same one is always told.
  const textEncoder = await optional("text_encoder", clip(false));
  const textEncoder2 = await optional("text_encoder_2", clip(true));
  const unet = await optional("unet", async (part) => ({
    architecture: await readUnetConfig(at(part, "config.json")),
    weights: await weightsOf(folder, part, "diffusion_pytorch_model"),
    told: "by config" as const,
  }));
  const vae = await optional("vae", async (part) => ({
    architecture: await readAutoencoderConfig(at(part, "config.json")),
    weights: await weightsOf(folder, part, "diffusion_pytorch_model", oldDiffusersVae),
    told: "by config" as const,
  }));
  const schedulerConfig = at("scheduler", "scheduler_config.json");
  return {
    path: folder,
    layout: "diffusers folder",
    textEncoder,
    textEncoder2,
    unet,
    vae,
    tokenizer: await has("tokenizer") ? { folder: at("tokenizer") } : undefined,
    tokenizer2: await has("tokenizer_2") ? { folder: at("tokenizer_2") } : undefined,
    schedulerConfig: await kindOf(schedulerConfig) === "file" ? schedulerConfig : undefined,
    markers: NO_MARKERS,
    forceZerosForEmptyPrompt: index.force_zeros_for_empty_prompt,
    unknown: [],
    ignored: [],
  };
}

const network = v.looseObject({ _class_name: v.optional(v.string()) });

/** A network that is published alone: its config and weights in the folder itself. */
async function openNetwork(folder: string): Promise<Contents | undefined> {
  const config = join(folder, "config.json");
  if (await kindOf(join(folder, "model_index.json")) === "file" || await kindOf(config) !== "file") return undefined;
  const { _class_name: name } = await readConfig(config, network);
  const common = {
    path: folder,
    markers: NO_MARKERS,
    forceZerosForEmptyPrompt: true, // SDXL's own model_index.json
    unknown: [],
    ignored: [],
  };
  const stem = "diffusion_pytorch_model";
  if (name === "UNet2DConditionModel") {
    const architecture = await readUnetConfig(config);
    const weights = await weightsOf(folder, "", stem, undefined, "unet");
    return { ...common, layout: "U-Net folder", unet: { architecture, weights, told: "by config" } };
  }
  if (name === "AutoencoderKL" || name === "AutoencoderTiny") {
    const architecture = await readAutoencoderConfig(config);
    const weights = await weightsOf(folder, "", stem, oldDiffusersVae, "vae");
    return { ...common, layout: "VAE folder", vae: { architecture, weights, told: "by config" } };
  }
}

/** A folder without model_index.json is taken for a repository of parts when it holds unet/ or vae/. */
async function readIndex(path: string, folder: string): Promise<v.InferOutput<typeof modelIndex>> {
  const indexPath = join(folder, "model_index.json");
  if (await kindOf(indexPath) === "file") {
    const index = await readConfig(indexPath, modelIndex);
    if (index._class_name.startsWith("StableDiffusionXL")) return index;
    throw new RangeError(
      `Cannot open ${path}: its model_index.json is for ${
        plain(index._class_name)
      }; wanted is StableDiffusionXLPipeline.`,
    );
  }
  for (const part of ["unet", "vae"]) {
    if (await kindOf(join(folder, part, "config.json")) === "file") {
      return { _class_name: "", force_zeros_for_empty_prompt: true };
    }
  }
  throw new Deno.errors.NotFound(
    `Cannot open ${path} as a model: it has no model_index.json. Wanted: a diffusers folder ` +
      `(model_index.json, unet/, vae/, text_encoder/, text_encoder_2/, tokenizer/, tokenizer_2/) or a .safetensors file.`,
  );
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

/** @param part what the tensors belong to, for errors */
async function weightsOf(folder: string, name: string, stem: string, rules?: Rules, part = name): Promise<Weights> {
  const files = candidates(stem);
  for (const file of files) {
    const path = join(folder, name, file);
    if (await kindOf(path) !== "file") continue;
    const paths = file.endsWith(".json") ? await shards(path) : [path];
    // Symlinks are followed here: runtimes refuse external data behind a link that leaves its folder.
    const files = await Promise.all(paths.map(async (path) => openSafetensors(await realPath(path))));
    return new Weights(part, sourcesOf(files), rules);
  }
  throw new Deno.errors.NotFound(
    `Cannot open the ${part} of ${folder}: no weights in ${join(folder, name)}. Looked for ${files.join(", ")}.`,
  );
}

/** Files of a part. The hub splits at 5 or 10 GB: the largest models that anybody published have less than 200. */
const MAX_SHARDS = 1000;

const shardIndex = v.looseObject({ weight_map: v.record(v.string(), v.string()) });

/** The files that a sharded checkpoint's index names. They lie beside it: a name with a folder in it is refused. */
async function shards(indexPath: string): Promise<readonly string[]> {
  const { weight_map } = await readConfig(indexPath, shardIndex);
  const names = [...new Set(Object.values(weight_map))].sort();
  for (const name of names) {
    const fault = fileNameFault(name);
    if (fault !== undefined) {
      throw new RangeError(
        `Cannot use ${indexPath}: it names ${shown(name)}, ${fault}; shards must be files beside the index.`,
      );
    }
  }
  if (names.length > MAX_SHARDS) {
    throw new RangeError(`Cannot use ${indexPath}: it names ${names.length} shards, allowed are ${MAX_SHARDS}.`);
  }
  if (names.length === 0) throw new RangeError(`Cannot use ${indexPath}: its weight_map is empty.`);
  return names.map((name) => join(indexPath, "..", name));
}
