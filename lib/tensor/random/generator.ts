/** What a random stream is: a value, not a thing that changes. */

import { bfloat16FromFloat32, float16FromFloat32, float32FromBfloat16, float32FromFloat16 } from "../half.ts";

/** The number types that torch draws noise in: a pipeline's own. */
export const NOISE_TYPES = ["fp32", "fp16", "bf16"] as const;
/** The number type that noise is drawn in: see `NOISE_TYPES`. */
export type NoiseType = typeof NOISE_TYPES[number];

/** float32 values as the type holds them, still float32. */
export function roundedTo(type: NoiseType, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  switch (type) {
    case "fp32":
      return values;
    case "fp16":
      return float32FromFloat16(float16FromFloat32(values));
    case "bf16":
      return float32FromBfloat16(bfloat16FromFloat32(values));
  }
}

/** A stream of random numbers at one place: a value, so a step that holds it can be taken twice. */
export interface Generator {
  /** Whose numbers: torch's Mersenne Twister on processors, or its Philox counter on CUDA. */
  readonly device: "cpu" | "cuda";
  /** The seed as torch reads it, 0 … 2⁶⁴ − 1. */
  readonly seed: bigint;
  /** `count` unit normals, as `torch.randn(count, generator=…)` draws them in one call, and what comes after. */
  randn(count: number): { readonly values: Float32Array<ArrayBuffer>; readonly next: Generator };
}
