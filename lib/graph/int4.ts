/**
 * Linear layers whose weights lie in blocks of 4-bit codes, one scale a block: an eighth of float32's memory. The runtime
 * widens a block when it multiplies by it.
 *
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md, MatMulNBits
 */

import type { WeightRef } from "../weights/weights.ts";
import { type Lowering, MICROSOFT } from "./builder.ts";

/** A linear layer's weight in 4 bits. */
export interface BlockWeight {
  /** U8 `[out, in / block, block / 2]`: two codes a byte, the earlier in the low half; code 8 is zero. */
  readonly codes: WeightRef;
  /** F32 `[out, in / block]` */
  readonly scales: WeightRef;
}

/** Weights that share a scale. */
export const BLOCK = 32;

/** Activations in 8 bits while they are multiplied: the runtime's fast way, and exact enough beside 4-bit weights. */
const ACCURACY_LEVEL = 4;

/** `base`, but for the linear layers whose weights were quantised, by their keys. */
export function int4(base: Lowering, quantized: ReadonlyMap<string, BlockWeight>): Lowering {
  return {
    ...base,
    name: `${base.name}, int4`,
    why: `${base.why}; the U-Net's linear layers have weights in blocks of 4 bits`,
    matmul(g, x, weight, out, bias, after) {
      const found = quantized.get(weight.key);
      if (found === undefined) return base.matmul(g, x, weight, out, bias, after);
      const inputs = [x, g.graph.external(found.codes), g.graph.external(found.scales)];
      const attributes = { K: x.channels, N: out, bits: 4, block_size: BLOCK, accuracy_level: ACCURACY_LEVEL };
      const y = g.op("MatMulNBits", inputs, out, attributes, MICROSOFT);
      return bias ? g.add(y, g.stored(bias)) : y;
    },
  };
}
