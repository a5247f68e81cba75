/**
 * A whole CLIP as transformers publishes it: `CLIPModel`, a text and a picture tower in one safetensors, with config.json
 * and the settings of its image processor beside it.
 */

import { basename, dirname, join, resolve } from "node:path";
import * as v from "valibot";
import type { ClipTextArchitecture, ClipVisionArchitecture } from "./architecture.ts";
import type { Part, TokenizerFolder } from "./checkpoint.ts";
import { readClipConfig } from "./clip_config.ts";
import { readConfig } from "./config.ts";
import { kindOf } from "./files.ts";
import { inferClipText, inferClipVision } from "./infer.ts";
import type { Rules } from "./keys/rules.ts";
import { CLIP_FOLDER } from "./open.ts";
import { openSafetensors } from "./safetensors.ts";
import { sourcesOf, Weights } from "./weights.ts";

/** How a picture becomes what the tower sees: transformers' `CLIPImageProcessor`. */
export interface ClipPreprocessing {
  /** Pixels of the shorter side after scaling. */
  readonly shortestEdge: number;
  readonly resample: "bilinear" | "bicubic";
  /** Pixels of the square that is cut from the middle. */
  readonly crop: number;
  /** A channel each, of values in 0..1. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

export interface ClipCheckpoint {
  /** Absolute path of the weights. */
  readonly path: string;
  readonly text: Part<ClipTextArchitecture>;
  readonly vision: Part<ClipVisionArchitecture>;
  readonly tokenizer: TokenizerFolder;
  readonly preprocessing: ClipPreprocessing;
}

/** Buffers, and the temperature of the training. */
const UNUSED: Rules = [[/(^|\.)position_ids$/, null], [/^logit_scale$/, null]];

const FILES = ["model.safetensors", "model.fp16.safetensors"];

/**
 * Opens a CLIP: a folder, or its .safetensors. What stands beside the file counts; without a config.json the shapes
 * tell, as in OpenAI's CLIP (64 channels a head, quick GELU).
 *
 * @throws an error whose message is one sentence: what is wrong, what was looked for
 */
export async function openClip(path: string): Promise<ClipCheckpoint> {
  const file = await weightsFile(path);
  const weights = new Weights("clip", sourcesOf([await openSafetensors(file)]), UNUSED);
  for (
    const key of ["vision_model.embeddings.patch_embedding.weight", "text_model.embeddings.token_embedding.weight"]
  ) {
    if (!weights.has(key)) {
      throw new RangeError(
        `Cannot open ${path} as a CLIP: it has no tensor "${key}". Wanted is transformers' CLIPModel, both towers.`,
      );
    }
  }
  const folder = dirname(file);
  const config = join(folder, "config.json");
  const told = await kindOf(config) === "file" ? "by config" : "by shapes";
  const { text, vision } = told === "by config"
    ? await readClipConfig(config)
    : { text: inferClipText(weights, "whole"), vision: inferClipVision(weights) };
  return {
    path: file,
    text: { architecture: text, weights, told },
    vision: { architecture: vision, weights, told },
    tokenizer: await tokenizerOf(folder, text, path),
    preprocessing: await preprocessingOf(folder, vision),
  };
}

async function weightsFile(path: string): Promise<string> {
  const kind = await kindOf(path);
  if (kind === "file") return await Deno.realPath(path);
  if (kind === "folder") {
    for (const name of FILES) {
      const file = join(resolve(path), name);
      if (await kindOf(file) === "file") return file;
    }
    throw new Deno.errors.NotFound(`Cannot open ${path} as a CLIP: it holds no ${FILES.join(" or ")}.`);
  }
  throw new Deno.errors.NotFound(`Cannot open ${path}: it does not exist.`);
}

/** Rows of the embedding that belongs to CLIP's own vocabulary. */
const CLIP_ROWS = 49_408;

async function tokenizerOf(
  folder: string,
  { vocabularySize }: ClipTextArchitecture,
  path: string,
): Promise<TokenizerFolder> {
  for (const place of [folder, join(folder, "tokenizer")]) {
    for (const name of ["merges.txt", "tokenizer.json"]) {
      if (await kindOf(join(place, name)) === "file") return { folder: place };
    }
  }
  if (vocabularySize === CLIP_ROWS) return { folder: CLIP_FOLDER };
  throw new Deno.errors.NotFound(
    `Cannot find the tokenizer of ${path}: it knows ${vocabularySize} tokens, CLIP's vocabulary has ${CLIP_ROWS}. ` +
      `Put vocab.json and merges.txt beside it.`,
  );
}

/** OpenAI's CLIP: the mean and deviation of its training pictures. */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const DEVIATION = [0.26862954, 0.26130258, 0.27577711];

/** PIL's numbers of its filters, which the file has. */
const RESAMPLING: Readonly<Record<number, ClipPreprocessing["resample"]>> = { 2: "bilinear", 3: "bicubic" };

const pixels = v.pipe(v.number(), v.integer(), v.minValue(1));
const perChannel = v.pipe(v.array(v.number()), v.length(3));
const processorSchema = v.looseObject({
  size: v.optional(v.union([pixels, v.looseObject({ shortest_edge: pixels })])),
  crop_size: v.optional(v.union([pixels, v.looseObject({ height: pixels, width: pixels })])),
  resample: v.optional(v.picklist([2, 3]), 3),
  image_mean: v.optional(perChannel, MEAN),
  image_std: v.optional(perChannel, DEVIATION),
  do_resize: v.optional(v.literal(true), true),
  do_center_crop: v.optional(v.literal(true), true),
  do_normalize: v.optional(v.literal(true), true),
});

async function preprocessingOf(
  folder: string,
  { imageSize }: ClipVisionArchitecture,
): Promise<ClipPreprocessing> {
  const path = join(folder, "preprocessor_config.json");
  const config = await kindOf(path) === "file" ? await readConfig(path, processorSchema) : v.parse(processorSchema, {});
  const { size = imageSize, crop_size: crop = imageSize } = config;
  const side = typeof crop === "number" ? crop : crop.height;
  if (side !== imageSize || (typeof crop !== "number" && crop.width !== side)) {
    throw new RangeError(
      `Cannot use ${basename(path)} of ${folder}: its crop_size is ${JSON.stringify(crop)}, the tower sees ` +
        `${imageSize}x${imageSize} pixels.`,
    );
  }
  return {
    shortestEdge: typeof size === "number" ? size : size.shortest_edge,
    resample: RESAMPLING[config.resample],
    crop: side,
    mean: config.image_mean,
    deviation: config.image_std,
  };
}
