/**
 * How a provider wants the layers written. A network is described once, in layers; a lowering turns each layer into
 * the operators that one provider runs best.
 */

import type { Lowering } from "./builder.ts";
import { float, MICROSOFT } from "./proto.ts";

/** ONNX Runtime's CPU provider. Every operator here has a kernel there, in float32. */
export const cpu: Lowering = {
  name: "cpu",
  widening: "folded",

  matmul(g, x, weight, out, bias, after = x) {
    const y = g.op("FusedMatMul", [x, g.float32(weight, after)], out, { transB: 1 }, MICROSOFT);
    return bias ? g.add(y, g.float32(bias)) : y;
  },

  attention(g, q, k, v, heads, mask) {
    const attributes = { num_heads: heads, unidirectional: mask === "causal" ? 1 : 0 };
    return g.op("MultiHeadAttention", [q, k, v], q.channels, attributes, MICROSOFT);
  },

  groupNorm(g, x, weight, bias, groups, epsilon) {
    // ONNX's own GroupNormalization is a function here: the runtime unfolds it into more nodes than these, at load.
    const grouped = g.reshape(x, [0, groups, -1]);
    const filled = (value: number) => g.graph.constant("float32", Array<number>(groups).fill(value), [groups]);
    const attributes = { epsilon: float(epsilon) };
    const normed = g.op("InstanceNormalization", [grouped, filled(1), filled(0)], x.channels, attributes);
    const back = g.op("Reshape", [normed, g.op("Shape", [x], 0)], x.channels);
    const scale = g.op("Unsqueeze", [weight, g.ints(1, 2)], x.channels);
    const shift = g.op("Unsqueeze", [bias, g.ints(1, 2)], x.channels);
    return g.add(g.mul(back, scale), shift);
  },

  sigmoidGate(g, x, alpha) {
    return g.op("QuickGelu", [x], x.channels, { alpha: float(alpha) }, MICROSOFT);
  },
};

/** The same in little memory: half floats are widened layer by layer. */
export const cpuLean: Lowering = { ...cpu, name: "cpu, lean", widening: "bounded" };
