/**
 * SDXL's autoencoder as two ONNX graphs: diffusers' `AutoencoderKL.decode` and `.encode`.
 *
 *     latent/scale ─ post_quant_conv ─ conv_in ─ mid_block ─ up_blocks ─ conv_norm_out ─ conv_out ─ picture
 *     picture ─ conv_in ─ down_blocks ─ mid_block ─ conv_norm_out ─ conv_out ─ quant_conv ─ mean, log variance
 *
 * Rombach et al. 2022 (arXiv 2112.10752), section 3.1 and appendix G.
 */

import type { VaeArchitecture } from "../weights/architecture.ts";
import type { Shape } from "../tensor/tensor.ts";
import type { WeightSource } from "../weights/weights.ts";
import { attention, resnetBlock } from "./blocks.ts";
import { type BuildOptions, Graph, type Network, type Scope, type Value } from "./builder.ts";
import { conv2d, groupNorm, nearest, silu, toPicture, toTokens } from "./layers.ts";

/** The epsilon of every group norm in the autoencoder. */
const EPSILON = 1e-6;

/**
 * Builds the graph of a VAE's decoder.
 *
 * Input: `latent_sample` `[batch, 4, height/8, width/8]`, as the sampler holds it (the graph divides by the scaling
 * factor). Output: `sample` `[batch, 3, height, width]`, about −1..1.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildVaeDecoder(vae: VaeArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ ...options, name: "vae decoder", weights });
  const g = graph.at();
  const { latentChannels, imageChannels } = vae;
  const latent = graph.input("latent_sample", "float32", ["batch", latentChannels, "height", "width"], latentChannels);
  const x = decoderEnd(g, decoderMiddle(g, latent, vae), vae);
  graph.output("sample", x, ["batch", imageChannels, "8 height", "8 width"]);
  const sized = (shapes: ReadonlyMap<string, Shape>) =>
    buildVaeDecoder(vae, weights, { ...options, size: shapes.get("latent_sample") });
  return { ...graph.finish(), sized };
}

/** From the latent to the end of the middle block: all that works at the latent's size, and looks at all of it. */
export function decoderMiddle(g: Scope, latent: Value, vae: VaeArchitecture): Value {
  let x = g.mul(g.entered(latent), g.scalar(1 / vae.scalingFactor));
  if (vae.postQuantConv) x = conv2d(g.at("post_quant_conv"), x, vae.latentChannels, { kernel: 1 });
  const decoder = g.at("decoder");
  x = conv2d(decoder.at("conv_in"), x, vae.blockOutChannels[vae.blockOutChannels.length - 1]);
  return midBlock(decoder.at("mid_block"), x, vae);
}

/** From the middle block to the picture: convolutions, and group norms between them. */
export function decoderEnd(g: Scope, middle: Value, vae: VaeArchitecture): Value {
  const { groups, imageChannels, layersPerBlock } = vae;
  const channels = vae.blockOutChannels.toReversed();
  const decoder = g.at("decoder");
  let x = middle;
  channels.forEach((out, i) => {
    const block = decoder.at("up_blocks").at(i);
    for (let j = 0; j <= layersPerBlock; j++) x = resnet(block.at("resnets").at(j), x, out, groups);
    if (i < channels.length - 1) {
      const upsampler = block.at("upsamplers").at(0);
      x = conv2d(upsampler.at("conv"), nearest(upsampler, x), out);
    }
  });
  x = silu(decoder.at("conv_norm_out"), groupNorm(decoder.at("conv_norm_out"), x, groups, EPSILON));
  return conv2d(decoder.at("conv_out"), x, imageChannels);
}

/**
 * Builds the graph of a VAE's encoder.
 *
 * Input: `sample` `[batch, 3, height, width]`, −1..1. Output: `latent_parameters` `[batch, 8, height/8, width/8]`, mean
 * and log variance of the latent, before the scaling factor.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildVaeEncoder(vae: VaeArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ ...options, name: "vae encoder", weights });
  const g = graph.at();
  const { latentChannels, imageChannels, blockOutChannels: channels, groups } = vae;
  const sample = graph.input("sample", "float32", ["batch", imageChannels, "height", "width"], imageChannels);

  const encoder = g.at("encoder");
  let x = conv2d(encoder.at("conv_in"), g.entered(sample), channels[0]);
  channels.forEach((out, i) => {
    const block = encoder.at("down_blocks").at(i);
    for (let j = 0; j < vae.layersPerBlock; j++) x = resnet(block.at("resnets").at(j), x, out, groups);
    // Padded below and on the right only, unlike the U-Net's.
    const downsampler = block.at("downsamplers").at(0).at("conv");
    if (i < channels.length - 1) x = conv2d(downsampler, x, out, { stride: 2, pads: [0, 0, 1, 1] });
  });
  x = midBlock(encoder.at("mid_block"), x, vae, 2 ** (channels.length - 1));
  x = silu(encoder.at("conv_norm_out"), groupNorm(encoder.at("conv_norm_out"), x, groups, EPSILON));
  x = conv2d(encoder.at("conv_out"), x, 2 * latentChannels);
  if (vae.quantConv) x = conv2d(g.at("quant_conv"), x, 2 * latentChannels, { kernel: 1 });
  graph.output("latent_parameters", x, ["batch", 2 * latentChannels, "height / 8", "width / 8"]);
  const sized = (shapes: ReadonlyMap<string, Shape>) =>
    buildVaeEncoder(vae, weights, { ...options, size: shapes.get("sample") });
  return { ...graph.finish(), sized };
}

/** diffusers' `UNetMidBlock2D`: one attention with a single head between two resnets. */
function midBlock(g: Scope, x: Value, { groups, midAttention }: VaeArchitecture, shrink = 1): Value {
  x = resnet(g.at("resnets").at(0), x, x.channels, groups);
  if (midAttention) x = attend(g.at("attentions").at(0), x, groups, shrink);
  return resnet(g.at("resnets").at(1), x, x.channels, groups);
}

function attend(g: Scope, x: Value, groups: number, shrink: number): Value {
  const normed = groupNorm(g.at("group_norm"), x, groups, EPSILON);
  const tokens = attention(g, toTokens(g, normed), { heads: 1, bias: true, shrink });
  return g.add(x, toPicture(g, tokens, x));
}

function resnet(g: Scope, x: Value, out: number, groups: number): Value {
  return resnetBlock(g, x, { out, groups, epsilon: EPSILON });
}
