/** Layers in ONNX's plain operators, for providers whose fused ones are missing or wrong. */

import { float, type Scope, type Value } from "./builder.ts";
import type { WeightRef } from "../weights/weights.ts";

/** Far enough below any score that softmax gives 0, and a half float too. */
const MASKED = -10_000;

/** x·Wᵀ + bias, the weight turned round at load. */
export function plainMatmul(g: Scope, x: Value, weight: WeightRef, out: number, bias?: WeightRef): Value {
  const turned = g.graph.fold(g.stored(weight).name, "Transpose", { perm: [1, 0] });
  const y = g.op("MatMul", [x, turned], out);
  return bias ? g.add(y, g.stored(bias)) : y;
}

/**
 * softmax(q·kᵀ/√d)·v (Vaswani et al. 2017, arXiv 1706.03762, equation 1), the scores of all heads at once:
 * heads·queries·keys numbers a picture.
 */
export function plainAttention(
  g: Scope,
  q: Value,
  k: Value,
  v: Value,
  heads: number,
  mask: "none" | "causal",
): Value {
  const width = q.channels / heads;
  const split = (x: Value, perm: readonly number[]) => g.transpose(g.reshape(x, [0, -1, heads, width]), perm);
  // Queries are scaled, not scores: fewer numbers, and their products stay in a half float's range.
  const scaled = split(g.mul(q, g.scalar(1 / Math.sqrt(width))), [0, 2, 1, 3]);
  let scores = g.op("MatMul", [scaled, split(k, [0, 2, 3, 1])], 0);
  if (mask === "causal") scores = g.add(scores, causalMask(g, q));
  const weights = g.op("Softmax", [scores], 0, { axis: -1 });
  const mixed = g.op("MatMul", [weights, split(v, [0, 2, 1, 3])], width);
  return g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [0, -1, q.channels], q.channels);
}

/** `[tokens, tokens]`: 0 for what comes before, far below for what comes after. Folded where shapes are known. */
function causalMask(g: Scope, x: Value): Value {
  const tokens = g.op("Shape", [x], 0, { start: 1, end: 2 });
  const square = g.op("Concat", [tokens, tokens], 0, { axis: 0 });
  return g.op("Trilu", [g.op("Expand", [g.scalar(MASKED), square], 0), g.graph.constant("int64", [1], [])], 0, {
    upper: 1,
  });
}

/** Group norm as an instance norm over each group, then each channel's scale and shift. */
export function instanceGroupNorm(
  g: Scope,
  x: Value,
  weight: Value,
  bias: Value,
  groups: number,
  epsilon: number,
): Value {
  const grouped = g.reshape(x, [0, groups, -1]);
  const filled = (value: number) => g.graph.constant(g.lowering.compute, Array<number>(groups).fill(value), [groups]);
  const attributes = { epsilon: float(epsilon) };
  const normed = g.op("InstanceNormalization", [grouped, filled(1), filled(0)], x.channels, attributes);
  const back = g.op("Reshape", [normed, g.op("Shape", [x], 0)], x.channels);
  const scale = g.op("Unsqueeze", [weight, g.ints(1, 2)], x.channels);
  const shift = g.op("Unsqueeze", [bias, g.ints(1, 2)], x.channels);
  return g.add(g.mul(back, scale), shift);
}

/** x·sigmoid(alpha·x) */
export function plainSigmoidGate(g: Scope, x: Value, alpha: number): Value {
  return g.mul(x, g.op("Sigmoid", [alpha === 1 ? x : g.mul(x, g.scalar(alpha))], x.channels));
}

/** The exact GELU: x·Φ(x). ONNX's own since opset 20. */
export function gelu(g: Scope, x: Value): Value {
  return g.op("Gelu", [x], x.channels);
}

export function layerNorm(g: Scope, x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return g.op("LayerNormalization", [x, weight, bias], x.channels, { axis: -1, epsilon: float(epsilon) });
}

/** By its index. */
export function gatheredPick(g: Scope, x: Value, position: Value): Value {
  const index = g.op("Unsqueeze", [g.cast(position, "int64"), g.ints(1)], 0);
  return g.op("GatherND", [x, index], x.channels, { batch_dims: 1 });
}

/** As a product with 1 at the place and 0 elsewhere, for providers that take no 64-bit indices. */
export function multipliedPick(g: Scope, x: Value, position: Value, places: number): Value {
  const numbers = g.graph.constant("int32", Array.from({ length: places }, (_, place) => place), [places]);
  const equal = g.op("Equal", [g.op("Unsqueeze", [position, g.ints(1)], 1), numbers], places);
  const row = g.op("Unsqueeze", [g.cast(equal, g.lowering.compute), g.ints(1)], places);
  return g.reshape(g.op("MatMul", [row, x], x.channels), [-1, x.channels], x.channels);
}
