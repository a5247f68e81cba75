/**
 * Architectures from the shapes of tensors, for files that bring no config.
 *
 * What shapes cannot tell is SDXL's: 64 channels a head, 32 groups in the norms, 256 channels for each of the six
 * size numbers where the pooled text's width is not known, 1024 pixels where the file's metadata name no other size.
 */

import type {
  AutoencoderArchitecture,
  ClipTextArchitecture,
  ClipVisionArchitecture,
  TinyVaeArchitecture,
  UnetArchitecture,
  UnetBlock,
} from "./architecture.ts";
import { formatShape, type Shape } from "../tensor/tensor.ts";
import { holds } from "./keys/rules.ts";
import type { Weights } from "./weights.ts";

/** In SDXL and in CLIP. */
const HEAD_CHANNELS = 64;
const GROUPS = 32;
const TIME_IDS = 6;
const PIXELS_PER_LATENT = 8;
/** What holds where a file says nothing of its size. */
export const SDXL_SAMPLE_SIZE = 128;
/**
 * The key of a single file's metadata that may say it, in pixels ("1024x1024"): Stability AI's ModelSpec 1.0.0, which
 * SDXL's own file and kohya's trainers write.
 */
const RESOLUTION = "modelspec.resolution";

function wanted(weights: Weights, key: string, rank: number): Shape {
  const shape = weights.shape(key);
  if (shape === undefined) {
    throw new RangeError(
      `Cannot tell the architecture of the ${weights.part} in ${weights.files.map(({ path }) => path).join(", ")}: ` +
        `it has no tensor "${key}".`,
    );
  }
  if (shape.length !== rank) {
    throw new RangeError(
      `Cannot tell the architecture of the ${weights.part}: tensor "${key}" is ${formatShape(shape)}, ` +
        `wanted are ${rank} dimensions.`,
    );
  }
  return shape;
}

/** How many of `prefix.0.…`, `prefix.1.…` there are. One that lacks a tensor counts: the graph will miss it by name. */
function countOf(weights: Weights, prefix: string): number {
  const keys = weights.refs.map(({ key }) => key).filter((key) => key.startsWith(`${prefix}.`));
  let count = 0;
  while (holds(keys, `${prefix}.${count}.`)) count++;
  return count;
}

/** The output channels of a block, by the first of its tensors that tells them. */
function channelsOf(weights: Weights, block: string): number {
  const tellers = ["conv1.bias", "conv2.bias", "norm2.weight", "time_emb_proj.bias"];
  const key = tellers.map((name) => `${block}.resnets.0.${name}`).find((key) => weights.has(key));
  return wanted(weights, key ?? `${block}.resnets.0.${tellers[0]}`, 1)[0];
}

function headsOf(weights: Weights, channels: number): number {
  if (channels % HEAD_CHANNELS === 0) return channels / HEAD_CHANNELS;
  throw new RangeError(
    `Cannot tell the attention heads of the ${weights.part}: ${channels} channels are no multiple of ${HEAD_CHANNELS}, ` +
      `the width of SDXL's heads. Open it as a diffusers folder, whose config says.`,
  );
}

/** @param pooledDim width of the pooled text, from the encoder that belongs to it; SDXL's where there is none */
export function inferUnet(weights: Weights, pooledDim?: number): UnetArchitecture {
  const block = (prefix: string): UnetBlock => {
    const resnets = countOf(weights, `${prefix}.resnets`);
    const channels = channelsOf(weights, prefix);
    const transformers = Array.from({ length: resnets }, (_, i) => depthOf(weights, `${prefix}.attentions.${i}`));
    const attends = transformers.some((depth) => depth > 0);
    return {
      channels,
      transformers,
      heads: attends || channels % HEAD_CHANNELS === 0 ? headsOf(weights, channels) : 1,
      resample: weights.has(`${prefix}.downsamplers.0.conv.weight`) ||
        weights.has(`${prefix}.upsamplers.0.conv.weight`),
    };
  };
  const blocks = (side: "down" | "up") => {
    const count = countOf(weights, `${side}_blocks`);
    return Array.from({ length: count }, (_, i) => block(`${side}_blocks.${i}`));
  };
  const [, inChannels] = wanted(weights, "conv_in.weight", 4);
  const [outChannels] = wanted(weights, "conv_out.weight", 4);
  const [, additionInputDim] = wanted(weights, "add_embedding.linear_1.weight", 2);
  const context = weights.refs.find(({ key }) => key.endsWith(".attn2.to_k.weight"));
  if (context === undefined) {
    throw new RangeError(
      `Cannot tell the architecture of the unet: it has no cross-attention ("….attn2.to_k.weight").`,
    );
  }
  const projection = weights.refs.find(({ key }) => key.endsWith(".proj_in.weight"));
  const down = blocks("down");
  if (down.length === 0) throw new RangeError(`Cannot tell the architecture of the unet: it has no "down_blocks".`);
  return {
    inChannels,
    outChannels,
    sampleSize: sampleSizeOf(weights),
    down,
    mid: inferMiddle(weights),
    up: blocks("up"),
    groups: GROUPS,
    epsilon: 1e-5,
    crossAttentionDim: context.shape[1],
    additionTimeEmbedDim: pooledDim === undefined ? 256 : (additionInputDim - pooledDim) / TIME_IDS,
    additionInputDim,
    timeCondDim: weights.shape("time_embedding.cond_proj.weight")?.[1],
    linearProjection: projection?.shape.length === 2,
    flipSinToCos: true,
    freqShift: 0,
  };
}

/**
 * The side of the latents that the network was made for, by the file's metadata. A size that isn't square tells of the
 * pictures that a fine-tuning saw, not of the network, and counts for nothing.
 */
function sampleSizeOf(weights: Weights): number {
  const spoken = weights.files.map(({ metadata }) => metadata.get(RESOLUTION)).find(Boolean);
  const [, width, height] = /^([1-9]\d{1,3})x([1-9]\d{1,3})$/.exec(spoken ?? "") ?? [];
  const side = Number(width) / PIXELS_PER_LATENT;
  return width === height && Number.isInteger(side) ? side : SDXL_SAMPLE_SIZE;
}

/** What the metadata of a file without a config must say, so that it is opened at its size again. */
export function resolutionMetadata(
  { sampleSize }: UnetArchitecture,
): readonly (readonly [key: string, text: string])[] {
  const side = sampleSize * PIXELS_PER_LATENT;
  return sampleSize === SDXL_SAMPLE_SIZE ? [] : [[RESOLUTION, `${side}x${side}`]];
}

/** The depth of a transformer, 0 where there is none. */
function depthOf(weights: Weights, prefix: string): number {
  return countOf(weights, `${prefix}.transformer_blocks`);
}

function inferMiddle(weights: Weights): UnetArchitecture["mid"] {
  const resnets = countOf(weights, "mid_block.resnets");
  if (resnets === 0) return undefined;
  const channels = channelsOf(weights, "mid_block");
  const transformers = Array.from({ length: resnets - 1 }, (_, i) => depthOf(weights, `mid_block.attentions.${i}`));
  return { transformers, heads: transformers.length > 0 ? headsOf(weights, channels) : 1 };
}

/** The scaling factor is no tensor either: SDXL's, which its fp16-fixed and fine-tuned autoencoders share. */
const SDXL_SCALING_FACTOR = 0.13025;

export function inferVae(weights: Weights): AutoencoderArchitecture {
  if (weights.refs.some(({ key }) => /^(en|de)coder\.layers\./.test(key))) return inferTinyVae(weights);
  const count = countOf(weights, "decoder.up_blocks");
  const upwards = Array.from(
    { length: count },
    (_, i) => channelsOf(weights, `decoder.up_blocks.${i}`),
  );
  const [, latentChannels] = wanted(weights, "decoder.conv_in.weight", 4);
  const [imageChannels] = wanted(weights, "decoder.conv_out.weight", 4);
  return {
    latentChannels,
    imageChannels,
    blockOutChannels: upwards.toReversed(),
    layersPerBlock: countOf(weights, "decoder.up_blocks.0.resnets") - 1,
    groups: GROUPS,
    midAttention: countOf(weights, "decoder.mid_block.attentions") > 0,
    postQuantConv: weights.has("post_quant_conv.weight") || weights.has("post_quant_conv.bias"),
    quantConv: weights.has("quant_conv.weight") || weights.has("quant_conv.bias"),
    scalingFactor: SDXL_SCALING_FACTOR,
  };
}

function inferTinyVae(weights: Weights): TinyVaeArchitecture {
  const [channels, latentChannels] = wanted(weights, "decoder.layers.0.weight", 4);
  const decoder = blocksOf(weights, "decoder");
  return {
    latentChannels,
    imageChannels: wanted(weights, `decoder.layers.${decoder.last}.weight`, 4)[0],
    channels,
    encoderBlocks: blocksOf(weights, "encoder").blocks,
    decoderBlocks: decoder.blocks,
    scalingFactor: 1,
  };
}

/** Blocks between the convolutions of a sequence, and the place of its last convolution. */
function blocksOf(weights: Weights, side: "encoder" | "decoder"): { blocks: readonly number[]; last: number } {
  const kinds = new Map<number, "block" | "convolution">();
  for (const { key } of weights.refs) {
    const [, half, place, rest = ""] = key.match(/^(encoder|decoder)\.layers\.(\d+)\.(.*)$/) ?? [];
    if (half === side) kinds.set(Number(place), rest.startsWith("conv.") ? "block" : "convolution");
  }
  const places = [...kinds.keys()].sort((a, b) => a - b);
  const blocks: number[] = [];
  let count = 0;
  for (const place of places.slice(1)) {
    if (kinds.get(place) === "block") count++;
    else {
      blocks.push(count);
      count = 0;
    }
  }
  return { blocks, last: places.at(-1) ?? 0 };
}

/**
 * @param which SDXL's first encoder is OpenAI's, with quick GELU; its second is open_clip's, with GELU; "whole" is the
 *   text tower of OpenAI's CLIP with its projection
 */
export function inferClipText(weights: Weights, which: "first" | "second" | "whole"): ClipTextArchitecture {
  const [vocabularySize, hiddenSize] = wanted(weights, "text_model.embeddings.token_embedding.weight", 2);
  const [positions] = wanted(weights, "text_model.embeddings.position_embedding.weight", 2);
  const [intermediateSize] = wanted(weights, "text_model.encoder.layers.0.mlp.fc1.weight", 2);
  return {
    hiddenSize,
    intermediateSize,
    layers: countOf(weights, "text_model.encoder.layers"),
    heads: headsOf(weights, hiddenSize),
    activation: which === "second" ? "gelu" : "quick_gelu",
    vocabularySize,
    positions,
    epsilon: 1e-5,
    projectionDim: which === "first" ? undefined : wanted(weights, "text_projection.weight", 2)[0],
    eosTokenId: 2, // pool at the highest id, as SDXL's published configs say
  };
}

/** The picture tower of OpenAI's CLIP, under transformers' names. */
export function inferClipVision(weights: Weights): ClipVisionArchitecture {
  const [hiddenSize, imageChannels, patchSize] = wanted(weights, "vision_model.embeddings.patch_embedding.weight", 4);
  const [positions] = wanted(weights, "vision_model.embeddings.position_embedding.weight", 2);
  const [intermediateSize] = wanted(weights, "vision_model.encoder.layers.0.mlp.fc1.weight", 2);
  return {
    hiddenSize,
    intermediateSize,
    layers: countOf(weights, "vision_model.encoder.layers"),
    heads: headsOf(weights, hiddenSize),
    activation: "quick_gelu",
    epsilon: 1e-5,
    imageChannels,
    imageSize: Math.sqrt(positions - 1) * patchSize, // one position is the class token's
    patchSize,
    projectionDim: wanted(weights, "visual_projection.weight", 2)[0],
  };
}
