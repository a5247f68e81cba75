/**
 * Half floats as checkpoints store them, to and from float32, whole arrays at a time.
 *
 * fp16 is IEEE 754 binary16 (5 exponent bits, range ±65504). bf16 is the upper half of a float32 (8 exponent bits,
 * 8 bits of precision). Both are read and written little-endian, as safetensors wants them.
 * Rounding is to nearest, ties to even, as in torch's `.to(torch.float16)` and `.to(torch.bfloat16)`.
 */

type Bytes = Uint8Array<ArrayBufferLike>;

/** fp16 bytes `[2n]`, at any offset, as float32 `[n]`. Exact. @throws RangeError when the bytes are odd in number. */
export function float32FromFloat16(bytes: Bytes): Float32Array<ArrayBuffer> {
  return new Float32Array(new Float16Array(copyOfPairs(bytes, "fp16")));
}

/** float32 `[n]` as fp16 bytes `[2n]`. Beyond ±65504 (after rounding) values become infinite, as in torch. */
export function float16FromFloat32(values: Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Float16Array(values).buffer);
}

/** bf16 bytes `[2n]`, at any offset, as float32 `[n]`. Exact. @throws RangeError when the bytes are odd in number. */
export function float32FromBfloat16(bytes: Bytes): Float32Array<ArrayBuffer> {
  const halves = new Uint16Array(copyOfPairs(bytes, "bf16"));
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/** float32 `[n]` as bf16 bytes `[2n]`. */
export function bfloat16FromFloat32(values: Float32Array): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = words[i];
    // A NaN whose payload sits in the lower half would round to infinity: keep it quiet instead.
    halves[i] = (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return new Uint8Array(halves.buffer);
}

/** Tensors of a file start at any byte; a typed array of 16-bit values only at an even one. */
function copyOfPairs(bytes: Bytes, kind: string): ArrayBuffer {
  if (bytes.length % 2 !== 0) {
    throw new RangeError(`Cannot read ${bytes.length} bytes as ${kind}: each value takes 2.`);
  }
  return new Uint8Array(bytes).buffer;
}
