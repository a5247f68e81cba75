/**
 * The tiny autoencoder as two ONNX graphs: diffusers' `AutoencoderTiny`, TAESD (Ollin Boer Bohan, madebyollin/taesd).
 *
 *     latent ─ 3·tanh(x/3) ─ conv ─ relu ─ level ─ upsample ─ conv ─ … ─ level ─ conv ─ picture
 *     picture ─ conv ─ level ─ conv, stride 2 ─ … ─ level ─ conv ─ latent
 *
 * A level is a few blocks of three convolutions. The numbers of the layers count those without weights too.
 */

import type { TinyVaeArchitecture } from "../weights/architecture.ts";
import type { WeightSource } from "../weights/weights.ts";
import { type BuildOptions, Graph, type Network, type Scope, type Value } from "./builder.ts";
import { conv2d, nearest, relu } from "./layers.ts";

/** What latents are softly clamped to. */
const MAGNITUDE = 3;

/**
 * Builds the graph of a tiny autoencoder's decoder.
 *
 * Input: `latent_sample` `[batch, 4, height/8, width/8]`, as the sampler holds it. Output: `sample`
 * `[batch, 3, height, width]`, about −1..1.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildTinyDecoder(vae: TinyVaeArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ name: "tiny vae decoder", weights, ...options });
  const { latentChannels, imageChannels, channels, decoderBlocks } = vae;
  const latent = graph.input("latent_sample", "float32", ["batch", latentChannels, "height", "width"], latentChannels);
  const g = graph.at("decoder");
  const layers = g.at("layers");
  const soft = g.op("Tanh", [g.mul(g.entered(latent), g.scalar(1 / (MAGNITUDE * vae.scalingFactor)))], latentChannels);
  let place = 0;
  let x = conv2d(layers.at(place++), g.mul(soft, g.scalar(MAGNITUDE)), channels);
  x = relu(layers.at(place++), x);
  decoderBlocks.forEach((count, level) => {
    for (let i = 0; i < count; i++) x = block(layers.at(place++), x);
    if (level === decoderBlocks.length - 1) x = conv2d(layers.at(place), x, imageChannels);
    else {
      x = nearest(layers.at(place++), x);
      x = conv2d(layers.at(place++), x, channels, { bias: false });
    }
  });
  // The sequence paints in 0..1.
  const sample = g.op("Sub", [g.mul(x, g.scalar(2)), g.scalar(1)], imageChannels);
  graph.output("sample", sample, ["batch", imageChannels, "8 height", "8 width"]);
  return graph.finish();
}

/**
 * Builds the graph of a tiny autoencoder's encoder.
 *
 * Input: `sample` `[batch, 3, height, width]`, −1..1. Output: `latent_sample` `[batch, 4, height/8, width/8]`: no
 * distribution, and before the scaling factor.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildTinyEncoder(vae: TinyVaeArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ name: "tiny vae encoder", weights, ...options });
  const { latentChannels, imageChannels, channels, encoderBlocks } = vae;
  const sample = graph.input("sample", "float32", ["batch", imageChannels, "height", "width"], imageChannels);
  const g = graph.at("encoder");
  const layers = g.at("layers");
  let place = 0;
  let x = g.mul(g.op("Add", [g.entered(sample), g.scalar(1)], imageChannels), g.scalar(0.5));
  encoderBlocks.forEach((count, level) => {
    x = conv2d(layers.at(place++), x, channels, level === 0 ? {} : { stride: 2, bias: false });
    for (let i = 0; i < count; i++) x = block(layers.at(place++), x);
  });
  x = conv2d(layers.at(place), x, latentChannels);
  graph.output("latent_sample", x, ["batch", latentChannels, "height / 8", "width / 8"]);
  return graph.finish();
}

/** diffusers' `AutoencoderTinyBlock`. */
function block(g: Scope, x: Value): Value {
  const conv = g.at("conv");
  let h = relu(conv, conv2d(conv.at(0), x, x.channels));
  h = relu(conv, conv2d(conv.at(2), h, x.channels));
  return relu(g, g.add(conv2d(conv.at(4), h, x.channels), x));
}
