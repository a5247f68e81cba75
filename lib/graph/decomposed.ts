/** Layers in ONNX's plain operators, for providers whose fused ones are missing or wrong. */

import { type Area, float, type Lowering, type Scope, type Value, type Window } from "./builder.ts";
import type { WeightRef } from "../weights/weights.ts";

/** Far enough below any score that softmax gives 0, and a half float too. */
const MASKED = -10_000;

/** x·Wᵀ + bias, the weight turned round at load. */
export function plainMatmul(g: Scope, x: Value, weight: WeightRef, out: number, bias?: WeightRef): Value {
  const turned = g.graph.fold(g.stored(weight).name, "Transpose", { perm: [1, 0] });
  const y = g.op("MatMul", [x, turned], out);
  return bias ? g.add(y, g.stored(bias)) : y;
}

/** ONNX's own operator, which every provider has. */
export function plainConvolution(
  g: Scope,
  x: Value,
  weight: WeightRef,
  out: number,
  bias: WeightRef | undefined,
  window: Window,
): Value {
  return convolve(g, [x, g.stored(weight, x), ...bias ? [g.stored(bias)] : []], out, window);
}

/** @param inputs a picture, a weight, and where there is one a bias */
export function convolve(g: Scope, inputs: readonly Value[], out: number, { kernel, stride, pads }: Window): Value {
  return g.op("Conv", inputs, out, { kernel_shape: [kernel, kernel], strides: [stride, stride], pads });
}

/**
 * Bytes of scores that are there at once: what every WebGPU device can bind as one buffer.
 * https://www.w3.org/TR/webgpu/#dom-supported-limits-maxstoragebufferbindingsize
 */
const SCORES = 2 ** 27;

/** In how many slices of queries scores stay within the limit. */
function slicesOf(g: Scope, { batch, places }: Area, heads: number, limit: number): number {
  const row = batch * heads * places * (g.lowering.compute === "float16" ? 2 : 4); // a query's, of all heads
  const queries = Math.max(1, Math.floor(limit / row));
  return Math.ceil(places / queries); // each but the last is then as long as the others
}

/** `plainAttention` with another bound on its scores, in bytes. */
export function boundedAttention(limit: number): Lowering["attention"] {
  return (g, q, k, v, heads, mask, area) => plainAttention(g, q, k, v, heads, mask, area, limit);
}

/**
 * softmax(q·kᵀ/√d)·v (Vaswani et al. 2017, arXiv 1706.03762, equation 1), the scores of all heads at once:
 * heads·queries·keys numbers a picture. Where they are known to be too many, the queries are taken in slices, one after
 * the other: none needs another's scores.
 */
export function plainAttention(
  g: Scope,
  q: Value,
  k: Value,
  v: Value,
  heads: number,
  mask: "none" | "causal",
  area: Area = { batch: 0, places: 0 },
  limit = SCORES,
): Value {
  const width = q.channels / heads;
  const split = (x: Value, perm: readonly number[]) => g.transpose(g.reshape(x, [0, -1, heads, width]), perm);
  // Queries are scaled, not scores: fewer numbers, and their products stay in a half float's range.
  const scaled = split(g.mul(q, g.scalar(1 / Math.sqrt(width))), [0, 2, 1, 3]);
  const [keys, values] = [split(k, [0, 2, 3, 1]), split(v, [0, 2, 1, 3])];
  const mix = (queries: Value) => {
    let scores = g.op("MatMul", [queries, keys], 0);
    if (mask === "causal") scores = g.add(scores, causalMask(g, q));
    return g.op("MatMul", [g.op("Softmax", [scores], 0, { axis: -1 }), values], width);
  };
  const slices = mask === "causal" ? 1 : slicesOf(g, area, heads, limit);
  const parts = slices < 2
    ? [scaled]
    : g.graph.shared(scaled.name, "Split", slices, { axis: 2, num_outputs: slices }).map((name) => ({
      ...scaled,
      name,
    }));
  const mixed = parts.length === 1 ? mix(scaled) : { ...g.concat(parts.map(mix), 2), channels: width };
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
  return scaledBack(g, x, normed, weight, bias);
}

/**
 * The same from means: Σ(x − mean)² rather than Σx² − mean², which ONNX Runtime's WebGPU instance norm takes and which
 * loses what a group of nearly equal numbers varies by (1e-2 off in a U-Net's smallest level).
 */
export function meanGroupNorm(
  g: Scope,
  x: Value,
  weight: Value,
  bias: Value,
  groups: number,
  epsilon: number,
): Value {
  const { channels } = x;
  const mean = (of: Value) => g.op("ReduceMean", [of, g.ints(2)], channels, { keepdims: 1 });
  const half = g.lowering.compute === "float16"; // in which squares overflow: norms are in float32
  const grouped = g.reshape(half ? g.cast(x, "float32") : x, [0, groups, -1]);
  const centred = g.op("Sub", [grouped, mean(grouped)], channels);
  const least = g.graph.constant("float32", [epsilon], []);
  const deviation = g.op("Sqrt", [g.op("Add", [mean(g.mul(centred, centred)), least], channels)], channels);
  const normed = g.op("Div", [centred, deviation], channels);
  return scaledBack(g, x, half ? g.cast(normed, "float16") : normed, weight, bias);
}

/** Each channel's scale and shift, in the shape of `x`. */
function scaledBack(g: Scope, x: Value, normed: Value, weight: Value, bias: Value): Value {
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

/** By the provider's own functions. */
export function ownWaves(g: Scope, angles: Value): { readonly sin: Value; readonly cos: Value } {
  return { sin: g.op("Sin", [angles], angles.channels), cos: g.op("Cos", [angles], angles.channels) };
}

/** 2π in two parts: the first has so few bits that its multiples are exact in float32. */
const TURN = [6.28125, 2 * Math.PI - 6.28125] as const;

/**
 * By their series, after whole turns are taken off. WGSL allows its own sine to be 2⁻¹¹ off within ±π, and by any amount
 * outside: on SwiftShader a timestep of 500 was 1e-4 off, and the U-Net's output 3e-3.
 * https://www.w3.org/TR/WGSL/#concrete-float-accuracy
 */
export function seriesWaves(g: Scope, angles: Value): { readonly sin: Value; readonly cos: Value } {
  const number = (value: number) => g.graph.constant("float32", [value], []);
  const { channels } = angles;
  const op = (opType: string, a: Value, b: Value | string) => g.op(opType, [a, b], channels);
  const turns = g.op("Floor", [op("Add", op("Mul", angles, number(1 / (2 * Math.PI))), number(0.5))], channels);
  const x = TURN.reduce((rest, part) => op("Sub", rest, op("Mul", turns, number(part))), angles);
  const square = op("Mul", x, x);
  /** Σ (−1)ⁿ x²ⁿ / (2n + first)! by Horner: 1 − x²/((first + 1)(first + 2))·(1 − …). Ten terms are 1e-8 off at π. */
  const series = (first: 0 | 1): Value => {
    let sum: Value | undefined;
    for (let n = 9; n >= 1; n--) {
      const factor = number(-1 / ((2 * n - 1 + first) * (2 * n + first)));
      const step = op("Mul", square, factor);
      sum = op("Add", sum === undefined ? step : op("Mul", step, sum), number(1));
    }
    return sum ?? square;
  };
  return { sin: op("Mul", x, series(1)), cos: series(0) };
}
