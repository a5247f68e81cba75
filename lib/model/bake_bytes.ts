/** Numbers as the bytes that a baked file holds. */

import { Tensor } from "../tensor/tensor.ts";

export const BAKE_DTYPES = ["fp16", "fp32"] as const;
export type BakeDType = typeof BAKE_DTYPES[number];

/** @throws RangeError naming the tensor when a finite value is none in half floats */
export function encoded({ data }: Tensor, dtype: BakeDType, key: string): Uint8Array {
  if (dtype === "fp32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const half = new Float16Array(data);
  const lost = overflow(data, half);
  if (lost >= 0) {
    throw new RangeError(
      `Cannot bake "${key}" as fp16: ${data[lost]} at index ${lost} is beyond half floats' 65504. Bake as fp32.`,
    );
  }
  return new Uint8Array(half.buffer);
}

/** Where a half float became infinite that was not; −1 where none did. */
function overflow(data: Float32Array, half: Float16Array): number {
  const bits = new Uint16Array(half.buffer);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i] & 0x7c00) === 0x7c00 && Number.isFinite(data[i])) return i; // all exponent bits: infinity or NaN
  }
  return -1;
}

export function transposed(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape;
  return tensor.map((_, i) => tensor.data[(i % rows) * columns + Math.floor(i / rows)]).reshape([columns, rows]);
}

/** Blocks one below the other. */
export function joined(blocks: readonly Uint8Array[]): Uint8Array {
  if (blocks.length === 1) return blocks[0];
  const bytes = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const block of blocks) {
    bytes.set(block, offset);
    offset += block.length;
  }
  return bytes;
}
