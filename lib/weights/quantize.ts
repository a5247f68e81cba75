/**
 * Weights in 8 bits: symmetric, one scale an output channel. In 4 bits: symmetric, one scale a block of a row.
 *
 * Krishnamoorthi 2018 (arXiv 1806.08342), section 3.1: per-channel scales of weights lose next to nothing.
 */

import { type Shape, sizeOf, type Tensor } from "../tensor/tensor.ts";

export interface Quantized {
  /** `[in, out]`: the transpose of what torch keeps. */
  readonly codes: Int8Array<ArrayBuffer>;
  /** `[out]`: a code times its scale is the weight. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** Rows that are transposed together: their codes fill whole cache lines. */
const TILE = 64;

/**
 * @param weight `[out, in]`
 * @param most the largest code: 127, or less where sums of two products would not fit the processor's 16 bits
 * @throws RangeError when a weight is NaN or infinite
 */
export function quantizeRows({ data, shape }: Tensor, most: number, name: string): Quantized {
  const [out, inner]: Shape = shape;
  const codes = new Int8Array(sizeOf(shape));
  const scales = new Float32Array(out);
  const tile = new Int8Array(TILE * inner);
  for (let start = 0; start < out; start += TILE) {
    const rows = Math.min(out - start, TILE);
    for (let row = 0; row < rows; row++) {
      const values = data.subarray((start + row) * inner, (start + row + 1) * inner);
      const largest = largestOf(values);
      if (!Number.isFinite(largest)) {
        throw new RangeError(
          `Cannot quantise "${name}": row ${start + row} holds ${largest}, wanted are finite weights.`,
        );
      }
      scales[start + row] = largest > 0 ? largest / most : 1; // a row of zeros stays zeros at every scale
      const scale = scales[start + row];
      for (let i = 0; i < inner; i++) tile[row * inner + i] = values[i] / scale + WHOLE - WHOLE;
    }
    for (let i = 0; i < inner; i++) {
      for (let row = 0; row < rows; row++) codes[i * out + start + row] = tile[row * inner + i];
    }
  }
  return { codes, scales };
}

/**
 * A double so large that it has no fractions: a number added and taken away again is rounded, to the even one of two that
 * are as near. `Math.round` takes three times as long.
 */
const WHOLE = 1.5 * 2 ** 52;

/** Two codes a byte, the earlier in the low half: 0 to 15, of which 8 is zero. */
export interface QuantizedBlocks {
  /** `[out, in / block, block / 2]` */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** `[out, in / block]`: (code − 8) times its scale is the weight. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/**
 * @param weight `[out, in]`, `in` a multiple of `block`
 * @throws RangeError when a weight is NaN or infinite
 */
export function quantizeBlocks({ data }: Tensor, block: number, name: string): QuantizedBlocks {
  const scales = new Float32Array(data.length / block);
  const codes = new Uint8Array(data.length / 2);
  for (let i = 0; i < scales.length; i++) {
    const values = data.subarray(i * block, (i + 1) * block);
    const largest = largestOf(values);
    if (!Number.isFinite(largest)) {
      throw new RangeError(`Cannot quantise "${name}": block ${i} holds ${largest}, wanted are finite weights.`);
    }
    // Codes reach from −8 to 7: the sign is chosen so that the largest weight has the longer side.
    scales[i] = largest === 0 ? 1 : (values.includes(largest) ? -largest : largest) / 8;
    for (let j = 0; j < block; j++) {
      const code = Math.min(15, Math.max(0, Math.round(values[j] / scales[i]) + 8));
      codes[(i * block + j) >> 1] |= code << (4 * (j & 1));
    }
  }
  return { codes, scales };
}

function largestOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (!(size <= largest)) largest = size; // NaN too, which then stays
    if (Number.isNaN(largest)) return largest;
  }
  return largest;
}
