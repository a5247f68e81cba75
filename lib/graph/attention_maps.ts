/** What an attention attends to, spelled out beside the fused operator that computes it without keeping it. */

import type { Scope, Value } from "./builder.ts";

/**
 * Notes that this attention can be looked at: softmax(q·kᵀ/√d) of each head (Vaswani et al. 2017, arXiv 1706.03762,
 * equation 1), which sums to 1 over the keys. The layer's own output is left to the fused operator.
 *
 * @param q `[batch, queries, channels]`; k: `[batch, keys, channels]`
 */
export function observeAttention(g: Scope, q: Value, k: Value, heads: number): void {
  const shape = ["batch", `${g.path} heads`, `${g.path} queries`, `${g.path} keys`];
  g.graph.observe({ layer: g.path, kind: "attention" }, shape, (keep) => {
    const width = q.channels / heads;
    const split = (x: Value, perm: readonly number[]) => g.transpose(g.reshape(x, [0, -1, heads, width]), perm);
    const scores = g.op("MatMul", [split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1])], 0);
    const each = g.op("Softmax", [g.mul(scores, g.scalar(1 / Math.sqrt(width)))], 0, { axis: -1 });
    return keep === "each" ? each : g.op("ReduceMean", [each, g.ints(1)], 0, { keepdims: 1 });
  });
}
