/**
 * Linear layers in 8-bit integers: weights quantised beforehand, one scale an output channel; activations at run time,
 * one scale and zero point a tensor. x·Wᵀ ≈ scaleₓ·scaleᵥᵥ·(codesₓ − zeroₓ)·codesᵥᵥ, summed exactly in 32-bit integers.
 *
 * Jacob et al. 2017 (arXiv 1712.05877), section 2; Krishnamoorthi 2018 (arXiv 1806.08342), section 3.
 */

import type { WeightRef } from "../weights/weights.ts";
import { type Lowering, MICROSOFT, type Network } from "./builder.ts";

/** A linear layer's weight in 8 bits. */
export interface QuantizedWeight {
  /** I8 `[in, out]`: the runtime's integer product takes no transposed weight. */
  readonly codes: WeightRef;
  /** F32 `[out]` */
  readonly scales: WeightRef;
}

/** `base`, but for the linear layers whose weights were quantised, by their keys. */
export function int8(base: Lowering, quantized: ReadonlyMap<string, QuantizedWeight>): Lowering {
  return {
    ...base,
    name: `${base.name}, int8`,
    why: `${base.why}; the U-Net's linear layers multiply 8-bit integers`,
    matmul(g, x, weight, out, bias, after) {
      const found = quantized.get(weight.key);
      if (found === undefined) return base.matmul(g, x, weight, out, bias, after);
      // Queries, keys and values read one tensor, both halves of a gated layer too: it is quantised once for all.
      const [codes, scale, zero] = g.graph.shared(x.name, "DynamicQuantizeLinear", 3);
      const [weightCodes, weightScales] = [g.graph.external(found.codes), g.graph.external(found.scales)];
      const inputs = [codes, weightCodes, scale, weightScales, zero, undefined, bias && g.stored(bias)];
      return g.op("MatMulIntegerToFloat", inputs, out, {}, MICROSOFT);
    },
  };
}

/** The weights of every linear layer of a network, as its graph asks for them: some are parts of a tensor. */
export function linearWeights(base: Lowering, build: (lowering: Lowering) => Network): readonly WeightRef[] {
  const weights: WeightRef[] = [];
  build({
    ...base,
    matmul(g, x, weight, out, bias, after) {
      weights.push(weight);
      return base.matmul(g, x, weight, out, bias, after);
    },
  });
  return weights;
}
