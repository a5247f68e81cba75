/**
 * The layers that SDXL's networks are made of, under torch's names. Each takes the scope whose path is the layer's
 * key in the checkpoint. Pictures are `[batch, channels, height, width]`, tokens `[batch, tokens, channels]`.
 */

import { rows } from "../weights/weights.ts";
import type { Product, Scope, SumAndNorm, Value } from "./builder.ts";
import { convolve } from "./decomposed.ts";

export interface LinearOptions {
  /** Whether the checkpoint has one. Default true. */
  readonly bias?: boolean;
  /** What must be there before the layer begins, where x is there from the start. Default x. */
  readonly after?: Value;
}

/** torch.nn.Linear. */
export function linear(g: Scope, x: Value, out: number, { bias = true, after }: LinearOptions = {}): Value {
  const weight = g.find("weight", [out, x.channels]);
  return lowRank(g, x, g.lowering.matmul(g, x, weight, out, bias ? g.find("bias", [out]) : undefined, after));
}

/**
 * Adds the LoRAs' paths to y = x·Wᵀ + bias: strength·(alpha/rank)·(x·downᵀ)·upᵀ (arXiv 2106.09685, equation 3).
 *
 * @param range the rows of W that y was made of, where a layer computes its output in parts
 */
export function lowRank(g: Scope, x: Value, y: Value, range?: readonly [start: number, end: number]): Value {
  return g.adapters.reduce((sum, { module: { down, up }, strength, scope }) => {
    const rank = down.shape[0];
    const hidden = scope.mul(g.lowering.matmul(scope.at("down"), x, down, rank), strength);
    const upRows = range ? rows(up, ...range) : up;
    return scope.add(sum, g.lowering.matmul(scope.at("up"), hidden, upRows, y.channels));
  }, y);
}

export interface ConvOptions {
  /** Default 3, padded so that stride 1 keeps the size. */
  readonly kernel?: 1 | 3;
  readonly stride?: 1 | 2;
  /** Default true. */
  readonly bias?: boolean;
  /** Above, left, below, right. Default: half the kernel on every side. */
  readonly pads?: readonly number[];
}

/** torch.nn.Conv2d with a square kernel. */
export function conv2d(g: Scope, x: Value, out: number, options: ConvOptions = {}): Value {
  const { kernel = 3, stride = 1, pads = evenly(kernel), bias = true } = options;
  const weight = g.find("weight", [out, x.channels, kernel, kernel]);
  const window = { kernel, stride, pads };
  const y = g.lowering.convolution(g, x, weight, out, bias ? g.find("bias", [out]) : undefined, window);
  return g.adapters.reduce((sum, { module: { down, up }, strength, scope }) => {
    const hidden = convolve(scope.at("down"), [x, scope.stored(down)], down.shape[0], window);
    const scaled = [scope.mul(hidden, strength), scope.stored(up)];
    const delta = convolve(scope.at("up"), scaled, out, { kernel: 1, stride: 1, pads: evenly(1) });
    return scope.add(sum, delta);
  }, y);
}

/** Padding that keeps the size. */
function evenly(kernel: number): readonly number[] {
  return Array<number>(4).fill((kernel - 1) / 2);
}

/** torch.nn.GroupNorm over a picture. */
export function groupNorm(g: Scope, x: Value, groups: number, epsilon: number): Value {
  const shape = [x.channels];
  return g.lowering.groupNorm(g, x, g.weight("weight", shape), g.weight("bias", shape), groups, epsilon);
}

/** torch.nn.LayerNorm over the last axis; 1e-5 is torch's default, which diffusers and CLIP keep. */
export function layerNorm(g: Scope, x: Value, epsilon = 1e-5): Value {
  const shape = [x.channels];
  return g.lowering.layerNorm(g, x, g.weight("weight", shape), g.weight("bias", shape), epsilon);
}

/** torch.nn.Linear before what is added to it: its bias may wait for that. */
export function product(g: Scope, x: Value, out: number): Product {
  if (g.lowering.addNorm === undefined) return { value: linear(g, x, out) };
  return { value: linear(g, x, out, { bias: false }), bias: g.weight("bias", [out]) };
}

/** What a linear layer gives, its bias added. */
export function whole(g: Scope, { value, bias }: Product): Value {
  return bias === undefined ? value : g.add(value, bias);
}

/** x + y in the scope `g`, and the layer norm of the sum in the scope `norm`. */
export function addNorm(g: Scope, x: Value, y: Product, norm: Scope, epsilon = 1e-5): SumAndNorm {
  if (g.lowering.addNorm !== undefined) {
    const shape = [x.channels];
    return g.lowering.addNorm(norm, x, y, norm.weight("weight", shape), norm.weight("bias", shape), epsilon);
  }
  const sum = g.add(x, whole(g, y));
  return { sum, normed: layerNorm(norm, sum, epsilon) };
}

/** x·sigmoid(x) */
export function silu(g: Scope, x: Value): Value {
  return g.lowering.sigmoidGate(g, x, 1);
}

export function relu(g: Scope, x: Value): Value {
  return g.op("Relu", [x], x.channels);
}

/** The exact GELU, by erf. */
export function gelu(g: Scope, x: Value): Value {
  return g.lowering.gelu(g, x);
}

/** OpenAI CLIP's GELU: x·sigmoid(1.702·x) */
export function quickGelu(g: Scope, x: Value): Value {
  return g.lowering.sigmoidGate(g, x, 1.702);
}

/** `[batch, channels, height, width]` → `[batch, height·width, channels]` */
export function toTokens(g: Scope, x: Value): Value {
  return g.reshape(g.transpose(x, [0, 2, 3, 1]), [0, -1, x.channels]);
}

/** `[batch, height·width, channels]` → `[batch, channels, height, width]`, with the height and width of `like`. */
export function toPicture(g: Scope, tokens: Value, like: Value): Value {
  const channelsLast = g.op("Shape", [g.transpose(like, [0, 2, 3, 1])], 0);
  return g.transpose(g.op("Reshape", [tokens, channelsLast], tokens.channels), [0, 3, 1, 2]);
}

/** Doubles a picture by repeating pixels, or brings it to the size of `like` where a level had an odd size. */
export function nearest(g: Scope, x: Value, like?: Value): Value {
  const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  if (like === undefined) {
    const scales = g.graph.constant("float32", [1, 1, 2, 2], [4]);
    return g.op("Resize", [x, undefined, scales], x.channels, attributes);
  }
  const batch = g.op("Shape", [x], 0, { start: 0, end: 2 });
  const size = g.op("Shape", [like], 0, { start: 2, end: 4 });
  const sizes = g.op("Concat", [batch, size], 0, { axis: 0 });
  return g.op("Resize", [x, undefined, undefined, sizes], x.channels, attributes);
}
