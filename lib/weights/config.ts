/**
 * The config files of a diffusers folder, parsed into architectures. Left-out keys get diffusers' own defaults, as
 * older files leave out what came later; what the graphs cannot build is refused by name.
 */

import * as v from "valibot";
import type { AutoencoderArchitecture, UnetArchitecture, UnetBlock, VaeArchitecture } from "./architecture.ts";
import { readText } from "./files.ts";
import { JsonFault, parseJson } from "./json.ts";
import { plain } from "./said.ts";

/** Widths, vocabularies, sizes. The largest number of SDXL's configs is its vocabulary, 49,408. */
const MAX_COUNT = 2 ** 20;

/** Layers, blocks, transformers one after another, levels. SDXL's deepest is 32; a graph has dozens of nodes for each. */
const MAX_DEPTH = 256;

/** Values of the networks are float32: a factor outside of these makes them all 0 or infinite. */
const [LEAST_FACTOR, MOST_FACTOR] = [1e-12, 1e12];

export const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_COUNT));
export const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_COUNT));
/** How often something comes one after another. */
export const repeats = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_DEPTH));
/** What numbers are multiplied or divided by. */
export const factor = v.pipe(v.number(), v.minValue(LEAST_FACTOR), v.maxValue(MOST_FACTOR));
/** A number that is neither infinite, as 1e999 is read, nor NaN. */
export const finite = v.pipe(v.number(), v.finite());
const levels = <T>(of: v.GenericSchema<unknown, T>) => v.pipe(v.array(of), v.minLength(1), v.maxLength(MAX_DEPTH));
const counts = levels(count);
const repeatsList = levels(repeats);

/** Reads a JSON file and checks it. @throws SyntaxError, one sentence with the file and the key. */
export async function readConfig<T>(path: string, schema: v.GenericSchema<unknown, T>): Promise<T> {
  return checked(path, await readJson(path), schema);
}

async function readJson(path: string): Promise<unknown> {
  return jsonOf(path, await readText(path));
}

/** A file's text as JSON. @throws SyntaxError, one sentence with the file */
export function jsonOf(path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new SyntaxError(`Cannot read ${path}: ${error.message}. Is the download complete?`);
  }
}

function checked<T>(path: string, json: unknown, schema: v.GenericSchema<unknown, T>): T {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  throw new SyntaxError(`Cannot use ${path}: ${issueClause(result.issues[0])}.`);
}

/** What a schema found wrong: `"unet.heads" is "six", wanted is number`, or that it is missing. */
export function issueClause(issue: v.BaseIssue<unknown>): string {
  const key = v.getDotPath(issue);
  const what = key === null ? "it" : `"${plain(key)}"`;
  if (issue.received === "undefined") return `${what} is missing`;
  return `${what} is ${plain(issue.received)}, wanted is ${plain(issue.expected ?? "another value", 400)}`;
}

/** A value that is one for all levels, or one a level. */
function perLevel<T>(value: T | readonly T[], levels: number): readonly T[] {
  return Array.isArray(value) ? value : Array.from<T>({ length: levels }).fill(value as T);
}

const DOWN_BLOCKS = ["DownBlock2D", "CrossAttnDownBlock2D"] as const;
const UP_BLOCKS = ["UpBlock2D", "CrossAttnUpBlock2D"] as const;
const MID_BLOCKS = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"] as const;

const depth = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_DEPTH));
const depthList = v.pipe(
  v.array(v.union([depth, v.pipe(v.array(depth), v.maxLength(MAX_DEPTH))])),
  v.maxLength(MAX_DEPTH),
);
const depths = v.union([depth, depthList]);

const unetConfig = v.looseObject({
  in_channels: v.optional(count, 4),
  out_channels: v.optional(count, 4),
  sample_size: v.optional(count, 128),
  block_out_channels: counts,
  down_block_types: v.array(v.picklist(DOWN_BLOCKS)),
  mid_block_type: v.optional(v.nullable(v.picklist(MID_BLOCKS)), "UNetMidBlock2DCrossAttn"),
  up_block_types: v.array(v.picklist(UP_BLOCKS)),
  layers_per_block: v.optional(v.union([repeats, repeatsList]), 2),
  transformer_layers_per_block: v.optional(depths, 1),
  reverse_transformer_layers_per_block: v.nullish(depthList),
  attention_head_dim: v.optional(v.union([count, counts]), 8),
  num_attention_heads: v.nullish(v.union([count, counts])),
  cross_attention_dim: count,
  norm_num_groups: v.optional(count, 32),
  norm_eps: v.optional(factor, 1e-5),
  use_linear_projection: v.optional(v.boolean(), false),
  addition_embed_type: v.literal("text_time"),
  addition_time_embed_dim: count,
  projection_class_embeddings_input_dim: count,
  flip_sin_to_cos: v.optional(v.boolean(), true),
  freq_shift: v.optional(finite, 0),
  act_fn: v.optional(v.literal("silu"), "silu"),
  downsample_padding: v.optional(v.literal(1), 1),
  resnet_time_scale_shift: v.optional(v.literal("default"), "default"),
  class_embed_type: v.nullish(v.null()),
  encoder_hid_dim: v.nullish(v.null()),
  time_cond_proj_dim: v.nullish(count),
  only_cross_attention: v.optional(v.literal(false), false),
  dual_cross_attention: v.optional(v.literal(false), false),
  conv_in_kernel: v.optional(v.literal(3), 3),
  conv_out_kernel: v.optional(v.literal(3), 3),
  time_embedding_type: v.optional(v.literal("positional"), "positional"),
});

/** Parses `unet/config.json`. @throws SyntaxError naming the key that is wrong or not supported. */
export async function readUnetConfig(path: string): Promise<UnetArchitecture> {
  return parseUnetConfig(path, await readJson(path));
}

/** The same for what was read already. */
export function parseUnetConfig(path: string, json: unknown): UnetArchitecture {
  const config = checked(path, json, unetConfig);
  const channels = config.block_out_channels;
  const levels = channels.length;
  const lengths: [string, readonly unknown[]][] = [
    ["down_block_types", config.down_block_types],
    ["up_block_types", config.up_block_types],
  ];
  // diffusers names the head *count* attention_head_dim, for the sake of its earliest checkpoints.
  const heads = perLevel(config.num_attention_heads ?? config.attention_head_dim, levels);
  const layers = perLevel(config.layers_per_block, levels);
  const depth = perLevel<number | number[]>(config.transformer_layers_per_block, levels);
  lengths.push(["attention_head_dim", heads], ["layers_per_block", layers], ["transformer_layers_per_block", depth]);
  const reverse = config.reverse_transformer_layers_per_block ?? depth.toReversed();
  lengths.push(["reverse_transformer_layers_per_block", reverse]);
  for (const [key, list] of lengths) {
    if (list.length !== levels) {
      throw new SyntaxError(
        `Cannot use ${path}: "${key}" has ${list.length} entries, "block_out_channels" has ${levels}; ` +
          `one a level was wanted.`,
      );
    }
  }
  const transformers = (crossAttention: boolean, depth: number | readonly number[], resnets: number) =>
    perLevel(crossAttention ? depth : 0, resnets);
  const down = config.down_block_types.map((type, i): UnetBlock => ({
    channels: channels[i],
    transformers: transformers(type === "CrossAttnDownBlock2D", depth[i], layers[i]),
    heads: heads[i],
    resample: i < levels - 1,
  }));
  const up = config.up_block_types.map((type, i): UnetBlock => ({
    channels: channels[levels - 1 - i],
    transformers: transformers(type === "CrossAttnUpBlock2D", reverse[i], layers[levels - 1 - i] + 1),
    heads: heads[levels - 1 - i],
    resample: i < levels - 1,
  }));
  const lowest = depth[levels - 1];
  const middle = config.mid_block_type === "UNetMidBlock2D" ? [] : [typeof lowest === "number" ? lowest : lowest[0]];
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    sampleSize: config.sample_size,
    down,
    mid: config.mid_block_type === null ? undefined : { transformers: middle, heads: heads[levels - 1] },
    up,
    groups: config.norm_num_groups,
    epsilon: config.norm_eps,
    crossAttentionDim: config.cross_attention_dim,
    additionTimeEmbedDim: config.addition_time_embed_dim,
    additionInputDim: config.projection_class_embeddings_input_dim,
    timeCondDim: config.time_cond_proj_dim ?? undefined,
    linearProjection: config.use_linear_projection,
    flipSinToCos: config.flip_sin_to_cos,
    freqShift: config.freq_shift,
  };
}

const vaeConfig = v.looseObject({
  latent_channels: v.optional(count, 4),
  out_channels: v.optional(count, 3),
  block_out_channels: counts,
  layers_per_block: v.optional(repeats, 1),
  norm_num_groups: v.optional(count, 32),
  mid_block_add_attention: v.optional(v.boolean(), true),
  use_post_quant_conv: v.optional(v.boolean(), true),
  use_quant_conv: v.optional(v.boolean(), true),
  scaling_factor: v.optional(factor, 0.18215),
  shift_factor: v.nullish(v.null()),
  latents_mean: v.nullish(v.null()),
  latents_std: v.nullish(v.null()),
  act_fn: v.optional(v.literal("silu"), "silu"),
});

/** Parses `vae/config.json`. @throws SyntaxError naming the key that is wrong or not supported. */
export async function readVaeConfig(path: string): Promise<VaeArchitecture> {
  const config = await readConfig(path, vaeConfig);
  return {
    latentChannels: config.latent_channels,
    imageChannels: config.out_channels,
    blockOutChannels: config.block_out_channels,
    layersPerBlock: config.layers_per_block,
    groups: config.norm_num_groups,
    midAttention: config.mid_block_add_attention,
    postQuantConv: config.use_post_quant_conv,
    quantConv: config.use_quant_conv,
    scalingFactor: config.scaling_factor,
  };
}

const tinyVaeConfig = v.looseObject({
  latent_channels: v.optional(count, 4),
  out_channels: v.optional(count, 3),
  encoder_block_out_channels: v.optional(counts, [64, 64, 64, 64]),
  decoder_block_out_channels: v.optional(counts, [64, 64, 64, 64]),
  num_encoder_blocks: v.optional(repeatsList, [1, 3, 3, 3]),
  num_decoder_blocks: v.optional(repeatsList, [3, 3, 3, 1]),
  scaling_factor: v.optional(factor, 1),
  shift_factor: v.optional(v.literal(0), 0),
  upsampling_scaling_factor: v.optional(v.literal(2), 2),
  upsample_fn: v.optional(v.literal("nearest"), "nearest"),
  act_fn: v.optional(v.literal("relu"), "relu"),
});

/** Parses the config.json of either kind of autoencoder. @throws SyntaxError as above */
export async function readAutoencoderConfig(path: string): Promise<AutoencoderArchitecture> {
  const { _class_name } = await readConfig(path, v.looseObject({ _class_name: v.optional(v.string()) }));
  if (_class_name !== "AutoencoderTiny") return await readVaeConfig(path);
  const config = await readConfig(path, tinyVaeConfig);
  const widths = [...config.encoder_block_out_channels, ...config.decoder_block_out_channels];
  const [channels] = widths;
  if (widths.some((width) => width !== channels)) {
    throw new SyntaxError(`Cannot use ${path}: its levels are ${widths} wide; a tiny autoencoder's are all the same.`);
  }
  return {
    latentChannels: config.latent_channels,
    imageChannels: config.out_channels,
    channels,
    encoderBlocks: config.num_encoder_blocks,
    decoderBlocks: config.num_decoder_blocks,
    scalingFactor: config.scaling_factor,
  };
}
