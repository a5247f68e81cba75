/**
 * CLIP's picture tower as an ONNX graph: transformers' `CLIPVisionModelWithProjection`, a vision transformer.
 *
 * Radford et al. 2021 (arXiv 2103.00020), section 2.4; Dosovitskiy et al. 2020 (arXiv 2010.11929), section 3.1.
 */

import type { ClipVisionArchitecture } from "../weights/architecture.ts";
import type { WeightSource } from "../weights/weights.ts";
import { type BuildOptions, Graph, type Network, type Scope, type Value } from "./builder.ts";
import { encoderLayer } from "./clip.ts";
import { layerNorm, linear, toTokens } from "./layers.ts";

/**
 * Builds the graph of the picture tower.
 *
 * Input: `pixel_values` `[batch, 3, imageSize, imageSize]`, normalised. Output: `image_embeds` `[batch, projectionDim]`.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildClipVision(clip: ClipVisionArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ name: weights.part, weights, ...options });
  const { imageChannels, imageSize, layers, epsilon, projectionDim } = clip;
  const shape = ["batch", imageChannels, imageSize, imageSize];
  const pixels = graph.input("pixel_values", "float32", shape, imageChannels);
  const g = graph.at("vision_model");

  let x = embeddings(g.at("embeddings"), pixels, clip);
  x = layerNorm(g.at("pre_layrnorm"), x, epsilon); // the published spelling
  for (let i = 0; i < layers; i++) x = encoderLayer(g.at("encoder").at("layers").at(i), x, clip, "none");
  const first = graph.constant("int64", [0], []);
  const pooled = layerNorm(g.at("post_layernorm"), g.op("Gather", [x, first], x.channels, { axis: 1 }), epsilon);
  const projected = linear(graph.at("visual_projection"), pooled, projectionDim, { bias: false });
  graph.output("image_embeds", projected, ["batch", projectionDim]);
  return graph.finish();
}

/** The picture's patches as tokens after a class token, and where each stands: `[batch, 1 + patches, hiddenSize]` */
function embeddings(
  g: Scope,
  pixels: Value,
  { hiddenSize, imageChannels, imageSize, patchSize }: ClipVisionArchitecture,
): Value {
  const patch = g.at("patch_embedding");
  const kernel = [patchSize, patchSize];
  const weight = patch.weight("weight", [hiddenSize, imageChannels, ...kernel]);
  const patches = patch.op("Conv", [patch.entered(pixels), weight], hiddenSize, {
    kernel_shape: kernel,
    strides: kernel,
  });
  const batch = g.op("Shape", [pixels], 0, { start: 0, end: 1 });
  const shape = g.op("Concat", [batch, g.ints(1, hiddenSize)], 0, { axis: 0 });
  const start = g.op("Expand", [g.weight("class_embedding", [hiddenSize]), shape], hiddenSize);
  const tokens = g.op("Concat", [start, toTokens(patch, patches)], hiddenSize, { axis: 1 });
  const positions = 1 + (imageSize / patchSize) ** 2;
  return g.add(tokens, g.at("position_embedding").weight("weight", [positions, hiddenSize]));
}
