/**
 * How a provider wants the layers written. A network is described once, in layers; a lowering turns each layer into
 * the operators that one provider runs best.
 */

import { float, MICROSOFT, type Scope, type Value } from "./builder.ts";

export interface Lowering {
  readonly name: string;
  /** x·Wᵀ: torch's `[out, in]` weight as it lies. x: `[…, in]` */
  matmul(g: Scope, x: Value, weight: Value, out: number): Value;
  /** softmax(q·kᵀ/√d)·v per head. q: `[batch, queries, channels]`, k and v: `[batch, keys, channels]` */
  attention(g: Scope, q: Value, k: Value, v: Value, heads: number, mask: "none" | "causal"): Value;
  /** x: `[batch, channels, …]`; weight and bias: `[channels]` */
  groupNorm(g: Scope, x: Value, weight: Value, bias: Value, groups: number, epsilon: number): Value;
  /** x·sigmoid(alpha·x): SiLU at alpha 1, CLIP's quick GELU at 1.702. */
  sigmoidGate(g: Scope, x: Value, alpha: number): Value;
}

/** ONNX Runtime's CPU provider. All operators used here have a kernel there and keep float32. */
export const cpu: Lowering = {
  name: "cpu",

  matmul(g, x, weight, out) {
    return g.op("FusedMatMul", [x, weight], out, { transB: 1 }, MICROSOFT);
  },

  attention(g, q, k, v, heads, mask) {
    const attributes = { num_heads: heads, unidirectional: mask === "causal" ? 1 : 0 };
    return g.op("MultiHeadAttention", [q, k, v], q.channels, attributes, MICROSOFT);
  },

  groupNorm(g, x, weight, bias, groups, epsilon) {
    const attributes = { num_groups: groups, epsilon: float(epsilon) };
    return g.op("GroupNormalization", [x, weight, bias], x.channels, attributes);
  },

  sigmoidGate(g, x, alpha) {
    return g.op("QuickGelu", [x], x.channels, { alpha: float(alpha) }, MICROSOFT);
  },
};
