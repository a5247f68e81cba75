/**
 * CLIP's text encoder as an ONNX graph: transformers' `CLIPTextModel` and `CLIPTextModelWithProjection`.
 *
 * SDXL takes the hidden states before the last layer, without the final norm, from both encoders, and the pooled
 * output of the second. So the first encoder's last layer is never built.
 *
 * Radford et al. 2021 (arXiv 2103.00020), section 2.4; Podell et al. 2023 (arXiv 2307.01952), section 2.1.
 */

import type { ClipLayers, ClipTextArchitecture } from "../weights/architecture.ts";
import type { WeightSource } from "../weights/weights.ts";
import { type BuildOptions, Graph, type Network, type Scope, type Value } from "./builder.ts";
import { gelu, layerNorm, linear, quickGelu } from "./layers.ts";

/**
 * Builds the graph of a text encoder.
 *
 * Inputs: `input_ids` `[batch, 77]`; with a projection also `eos_position` `[batch]`, where to pool.
 * Outputs: `hidden_states` `[batch, 77, hiddenSize]` of the layer before the last; with a projection also
 * `text_embeds` `[batch, projectionDim]`.
 *
 * @throws RangeError when a tensor is missing or has another shape than the architecture implies.
 */
export function buildClipText(clip: ClipTextArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ ...options, name: weights.part, weights });
  const { hiddenSize, layers, positions, projectionDim } = clip;
  // transformers 5 writes an unprojected encoder without the prefix; published files have it.
  const prefix = weights.has("text_model.embeddings.token_embedding.weight") ? "text_model" : "";
  const g = graph.at(prefix);
  const ids = graph.input("input_ids", "int32", ["batch", positions]);

  let x = embeddings(g.at("embeddings"), ids, clip);
  for (let i = 0; i < layers - 1; i++) x = encoderLayer(g.at("encoder").at("layers").at(i), x, clip);
  graph.output("hidden_states", x, ["batch", positions, hiddenSize]);

  if (projectionDim !== undefined) {
    const eos = graph.input("eos_position", "int32", ["batch"]);
    x = encoderLayer(g.at("encoder").at("layers").at(layers - 1), x, clip);
    x = layerNorm(g.at("final_layer_norm"), g.lowering.pick(g.at("final_layer_norm"), x, eos, positions), clip.epsilon);
    const projected = linear(graph.at("text_projection"), x, projectionDim, { bias: false });
    graph.output("text_embeds", projected, ["batch", projectionDim]);
  }
  return graph.finish();
}

function embeddings(g: Scope, ids: Value, { vocabularySize, hiddenSize, positions }: ClipTextArchitecture): Value {
  const table = g.at("token_embedding");
  const ref = table.find("weight", [vocabularySize, hiddenSize]);
  const { tables, compute } = g.lowering;
  const from = tables === "before" ? table.stored(ref) : g.graph.external(ref);
  const rows = table.op("Gather", [from, ids], hiddenSize, { axis: 0 });
  const converted = tables === "before" || ref.dtype === (compute === "float32" ? "F32" : "F16");
  const tokens = converted ? rows : table.cast(rows, compute);
  return g.add(tokens, g.at("position_embedding").weight("weight", [positions, hiddenSize]));
}

/**
 * Norm, attention, norm, MLP, each around a shortcut. transformers' `CLIPEncoderLayer`.
 *
 * @param mask "causal" (default) for texts: a token sees itself and what came before, and the padding is not masked;
 *   "none" for pictures
 */
export function encoderLayer(
  g: Scope,
  x: Value,
  { heads, intermediateSize, activation, epsilon }: ClipLayers,
  mask: "none" | "causal" = "causal",
): Value {
  x = g.add(x, attention(g.at("self_attn"), layerNorm(g.at("layer_norm1"), x, epsilon), heads, mask));
  const mlp = g.at("mlp");
  const hidden = linear(mlp.at("fc1"), layerNorm(g.at("layer_norm2"), x, epsilon), intermediateSize);
  const activated = activation === "gelu" ? gelu(mlp, hidden) : quickGelu(mlp, hidden);
  return g.add(x, linear(mlp.at("fc2"), activated, x.channels));
}

function attention(g: Scope, x: Value, heads: number, mask: "none" | "causal"): Value {
  const q = linear(g.at("q_proj"), x, x.channels);
  const k = linear(g.at("k_proj"), x, x.channels);
  const v = linear(g.at("v_proj"), x, x.channels);
  return linear(g.at("out_proj"), g.lowering.attention(g, q, k, v, heads, mask), x.channels);
}
