/**
 * How a provider wants the layers written. A network is described once, in layers; a lowering turns each layer into
 * the operators that one provider runs best.
 */

import type { Lowering } from "./builder.ts";
import {
  gatheredPick,
  gelu,
  instanceGroupNorm,
  layerNorm,
  meanGroupNorm,
  multipliedPick,
  ownWaves,
  plainAttention,
  plainConvolution,
  plainMatmul,
  plainSigmoidGate,
  seriesWaves,
} from "./decomposed.ts";
import { float, MICROSOFT } from "./proto.ts";

/** ONNX Runtime's CPU provider. Every operator here has a kernel there, in float32. */
export const cpu: Lowering = {
  name: "cpu",
  why: "the processor's provider runs fused matrix products and attention fastest",
  compute: "float32",
  widening: "folded",
  tables: "after",

  matmul(g, x, weight, out, bias, after = x) {
    const y = g.op("FusedMatMul", [x, g.stored(weight, after)], out, { transB: 1 }, MICROSOFT);
    return bias ? g.add(y, g.stored(bias)) : y;
  },

  convolution: plainConvolution,

  attention(g, q, k, v, heads, mask) {
    const attributes = { num_heads: heads, unidirectional: mask === "causal" ? 1 : 0 };
    return g.op("MultiHeadAttention", [q, k, v], q.channels, attributes, MICROSOFT);
  },

  // ONNX's own GroupNormalization is a function here: the runtime unfolds it into more nodes than these, at load.
  groupNorm: instanceGroupNorm,
  pick: gatheredPick,
  waves: ownWaves,

  sigmoidGate(g, x, alpha) {
    return g.op("QuickGelu", [x], x.channels, { alpha: float(alpha) }, MICROSOFT);
  },

  gelu,
  layerNorm,
};

/** The same in little memory: half floats are widened layer by layer. */
export const cpuLean: Lowering = {
  ...cpu,
  name: "cpu, lean",
  why: "weights stay mapped in their file, and half floats are widened in the layer that uses them",
  widening: "bounded",
};

/**
 * ONNX Runtime's WebGPU provider: operators that all have a kernel there, so that nothing runs on the processor unseen.
 * Its fused attention gave results that were off by 7 to 19 % on SwiftShader, so attention is spelled out.
 */
export const webgpu: Lowering = {
  name: "webgpu",
  why: "every operator has a WebGPU kernel; attention is spelled out, as the fused one is wrong on some devices",
  compute: "float32",
  widening: "folded",
  tables: "before",
  matmul: plainMatmul,
  convolution: plainConvolution,
  attention: plainAttention,
  groupNorm: meanGroupNorm,
  pick: multipliedPick,
  waves: seriesWaves,
  sigmoidGate: plainSigmoidGate,
  gelu,
  layerNorm,
};

export const webgpuHalf: Lowering = {
  ...webgpu,
  name: "webgpu, fp16",
  why: `${webgpu.why}; values are half floats`,
  compute: "float16",
};

/** ONNX Runtime's CUDA provider: the processor's fused operators, which have CUDA kernels too. */
export const cuda: Lowering = {
  ...cpu,
  name: "cuda",
  why: "fused matrix products, attention and norms have CUDA kernels",

  // A linear layer's bias, the sum with what goes past the layer, and its norm: one pass over memory where three were.
  addNorm(g, x, { value, bias: added }, weight, bias, epsilon) {
    const inputs = [x, value, weight, bias, ...added ? [added] : []];
    const attributes = { epsilon: float(epsilon) };
    const [normed, sum] = g.twoOf("SkipLayerNormalization", inputs, 3, x.channels, attributes, MICROSOFT);
    return { sum, normed };
  },
};

export const cudaHalf: Lowering = {
  ...cuda,
  name: "cuda, fp16",
  why: `${cuda.why}; values are half floats`,
  compute: "float16",
  hint: "fp16",
};

/** OpenVINO, whose compiler fuses by itself: it is told what is meant, in ONNX's own operators. */
export const openvino: Lowering = {
  name: "openvino",
  why: "ONNX's own operators, which OpenVINO's compiler fuses by itself",
  compute: "float32",
  widening: "folded",
  tables: "after",
  matmul: plainMatmul,
  convolution: plainConvolution,
  attention: plainAttention,

  groupNorm(g, x, weight, bias, groups, epsilon) {
    const attributes = { num_groups: groups, epsilon: float(epsilon) };
    return g.op("GroupNormalization", [x, weight, bias], x.channels, attributes);
  },

  pick: gatheredPick,
  waves: ownWaves,
  sigmoidGate: plainSigmoidGate,
  gelu,
  layerNorm,
};

/** The same, and OpenVINO is told to compute in less. */
export function openvinoIn(hint: "bf16" | "fp16"): Lowering {
  return { ...openvino, name: `openvino, ${hint}`, why: `${openvino.why}; it is told to compute in ${hint}`, hint };
}
