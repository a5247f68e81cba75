/**
 * SDXL's U-Net as an ONNX graph: diffusers' `UNet2DConditionModel`.
 *
 *     latent ─ conv_in ─ down_blocks ─ mid_block ─ up_blocks ─ conv_norm_out ─ conv_out ─ prediction
 *                            └──────── skips ─────────┘
 *     timestep ─ time_embedding ─┐
 *     pooled text, sizes ─ add_embedding ─┴─ into every resnet;   text ─ into every cross-attention
 *
 * Podell et al. 2023 (arXiv 2307.01952), figure 3 and table 1; Ho et al. 2020 (arXiv 2006.11239), appendix B.
 */

import type { UnetArchitecture, UnetBlock } from "../weights/architecture.ts";
import type { Shape } from "../tensor/tensor.ts";
import type { WeightSource } from "../weights/weights.ts";
import { resnetBlock, transformer } from "./blocks.ts";
import { type BuildOptions, Graph, type Network, type Scope, type Value } from "./builder.ts";
import { conv2d, groupNorm, linear, nearest, silu } from "./layers.ts";

/** Longest wavelength of the sinusoidal embeddings, as in Vaswani et al. 2017 (arXiv 1706.03762), section 3.5. */
const MAX_PERIOD = 10_000;

/** The number of size conditions: original height and width, crop top and left, target height and width. */
const TIME_IDS = 6;

/** What every block of the U-Net needs to know. */
interface Conditioning {
  readonly unet: UnetArchitecture;
  /** The activated time embedding, `[batch, channels]` */
  readonly time: Value;
  /** The text, `[batch, 77, crossAttentionDim]` */
  readonly context: Value;
  /** How many times smaller pictures are in this block than the latent. */
  readonly shrink: number;
}

/**
 * Builds the graph of a U-Net.
 *
 * Inputs: `sample` `[batch, 4, height/8, width/8]`, `timestep` `[batch]`, `encoder_hidden_states`
 * `[batch, 77, crossAttentionDim]`, `text_embeds` `[batch, pooled]`, `time_ids` `[batch, 6]`; where the guidance scale
 * is an input, `timestep_cond` `[batch, timeCondDim]`.
 * Output: `out_sample`, of `sample`'s shape. The names are those of diffusers' own ONNX exports.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildUnet(unet: UnetArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ ...options, name: "unet", weights });
  const g = graph.at();
  const latent = ["batch", unet.inChannels, "height", "width"];
  const pooledDim = unet.additionInputDim - TIME_IDS * unet.additionTimeEmbedDim;
  const sample = graph.input("sample", "float32", latent, unet.inChannels);
  const timestep = graph.input("timestep", "float32", ["batch"], 1);
  const context = graph.input(
    "encoder_hidden_states",
    "float32",
    ["batch", "tokens", unet.crossAttentionDim],
    unet.crossAttentionDim,
  );
  const textEmbeds = graph.input("text_embeds", "float32", ["batch", pooledDim], pooledDim);
  const timeIds = graph.input("time_ids", "float32", ["batch", TIME_IDS], TIME_IDS);

  const time = timeEmbedding(g, unet, timestep, textEmbeds, timeIds);
  const conditioning: Omit<Conditioning, "shrink"> = { unet, time, context: g.entered(context) };

  let x = g.at("conv_in").features(conv2d(g.at("conv_in"), g.entered(sample), unet.down[0].channels));
  const skips = [x];
  let shrink = 1;
  unet.down.forEach((block, i) => {
    x = downBlock(g.at("down_blocks").at(i), x, block, { ...conditioning, shrink }, skips);
    if (block.resample) shrink *= 2;
  });
  x = midBlock(g.at("mid_block"), x, { ...conditioning, shrink });
  unet.up.forEach((block, i) => {
    x = upBlock(g.at("up_blocks").at(i), x, block, { ...conditioning, shrink }, skips);
    if (block.resample) shrink /= 2;
  });
  x = silu(g.at("conv_norm_out"), groupNorm(g.at("conv_norm_out"), x, unet.groups, unet.epsilon));
  x = conv2d(g.at("conv_out"), x, unet.outChannels);
  graph.output("out_sample", x, ["batch", unet.outChannels, "height", "width"]);
  const sized = (shapes: ReadonlyMap<string, Shape>) =>
    buildUnet(unet, weights, { ...options, size: shapes.get("sample") });
  return { ...graph.finish(), sized };
}

/** Timestep and size conditions as one vector, activated as every resnet wants it. `[batch, channels]` */
function timeEmbedding(g: Scope, unet: UnetArchitecture, timestep: Value, textEmbeds: Value, timeIds: Value): Value {
  const width = unet.down[0].channels;
  const embedded = 4 * width;
  const at = g.at("time_embedding");
  let t = g.at("time_proj").reshape(sinusoidal(g.at("time_proj"), timestep, width, unet), [-1, width], width);
  if (unet.timeCondDim !== undefined) {
    const scale = g.graph.input("timestep_cond", "float32", ["batch", unet.timeCondDim], unet.timeCondDim);
    t = at.add(t, linear(at.at("cond_proj"), at.entered(scale), width, { bias: false }));
  }
  const time = embedMlp(at, t, embedded);

  const sizes = sinusoidal(g.at("add_time_proj"), timeIds, unet.additionTimeEmbedDim, unet);
  const sizeDim = TIME_IDS * unet.additionTimeEmbedDim;
  const added = g.at("add_embedding");
  const addition = embedMlp(
    added,
    added.concat([added.entered(textEmbeds), added.reshape(sizes, [0, sizeDim], sizeDim)], 1),
    embedded,
  );

  return silu(at, at.add(time, addition));
}

/** Sinusoidal embedding of every number of x, in float32: `[…]` → `[…, width]`. diffusers' `Timesteps`. */
function sinusoidal(g: Scope, x: Value, width: number, { flipSinToCos, freqShift }: UnetArchitecture): Value {
  const half = width / 2;
  const frequencies = Array.from({ length: half }, (_, i) => Math.exp(-Math.log(MAX_PERIOD) * i / (half - freqShift)));
  const angles = g.op(
    "Mul",
    [g.op("Unsqueeze", [x, g.ints(-1)], 1), g.graph.constant("float32", frequencies, [half])],
    half,
  );
  const { sin, cos } = g.lowering.waves(g, angles);
  return g.entered(g.concat(flipSinToCos ? [cos, sin] : [sin, cos], -1));
}

/** Linear, SiLU, linear. diffusers' `TimestepEmbedding`. */
function embedMlp(g: Scope, x: Value, out: number): Value {
  const hidden = silu(g, linear(g.at("linear_1"), x, out));
  return linear(g.at("linear_2"), hidden, out);
}

/** diffusers' `DownBlock2D` and `CrossAttnDownBlock2D`. Pushes every output onto `skips`. */
function downBlock(g: Scope, x: Value, block: UnetBlock, conditioning: Conditioning, skips: Value[]): Value {
  block.transformers.forEach((depth, i) => {
    x = resnet(g.at("resnets").at(i), x, block.channels, conditioning);
    x = attend(g.at("attentions").at(i), x, depth, block.heads, conditioning);
    skips.push(x);
  });
  if (block.resample) {
    const downsampler = g.at("downsamplers").at(0);
    x = downsampler.features(conv2d(downsampler.at("conv"), x, block.channels, { stride: 2 }));
    skips.push(x);
  }
  return g.features(x);
}

/** diffusers' `UNetMidBlock2DCrossAttn`: resnets with transformers between; without any, `UNetMidBlock2D`. */
function midBlock(g: Scope, x: Value, conditioning: Conditioning): Value {
  const { mid } = conditioning.unet;
  if (mid === undefined) return x;
  x = resnet(g.at("resnets").at(0), x, x.channels, conditioning);
  mid.transformers.forEach((depth, i) => {
    x = attend(g.at("attentions").at(i), x, depth, mid.heads, conditioning);
    x = resnet(g.at("resnets").at(i + 1), x, x.channels, conditioning);
  });
  return g.features(x);
}

/** diffusers' `UpBlock2D` and `CrossAttnUpBlock2D`. Takes the skips back, newest first. */
function upBlock(g: Scope, x: Value, block: UnetBlock, conditioning: Conditioning, skips: Value[]): Value {
  block.transformers.forEach((depth, i) => {
    const skip = skips.pop();
    if (skip === undefined) throw new RangeError(`Cannot build ${g.path}: more up resnets than down outputs.`);
    x = resnet(g.at("resnets").at(i), g.at("resnets").at(i).concat([x, skip], 1), block.channels, conditioning);
    x = attend(g.at("attentions").at(i), x, depth, block.heads, conditioning);
  });
  if (!block.resample) return g.features(x);
  const upsampler = g.at("upsamplers").at(0);
  const enlarged = nearest(upsampler, x, skips.at(-1));
  return g.features(upsampler.features(conv2d(upsampler.at("conv"), enlarged, block.channels)));
}

function resnet(g: Scope, x: Value, out: number, { unet, time }: Conditioning): Value {
  return resnetBlock(g, x, { out, time, groups: unet.groups, epsilon: unet.epsilon });
}

function attend(g: Scope, x: Value, depth: number, heads: number, { unet, context, shrink }: Conditioning): Value {
  if (depth === 0) return x;
  const { groups, linearProjection } = unet;
  return transformer(g, x, { depth, heads, context, groups, linearProjection, shrink });
}
