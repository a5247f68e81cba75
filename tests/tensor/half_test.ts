import {
  bfloat16FromFloat32,
  float16FromFloat32,
  float32FromBfloat16,
  float32FromFloat16,
} from "../../lib/tensor/half.ts";
import { equal, throwsSentence } from "../assert.ts";

const words = (bytes: Uint8Array) => [...new Uint16Array(bytes.slice().buffer)];

Deno.test("every fp16 and every bf16 survives float32 and back", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const bytes = new Uint8Array(all.buffer);
  const isNaN16 = (word: number, infinity: number) => (word & 0x7fff) > infinity;
  const kept = (back: number[], infinity: number) =>
    back.filter((word, i) => word !== i && !(isNaN16(word, infinity) && isNaN16(i, infinity)));
  equal(kept(words(float16FromFloat32(float32FromFloat16(bytes))), 0x7c00), []);
  equal(kept(words(bfloat16FromFloat32(float32FromBfloat16(bytes))), 0x7f80), []);
});

Deno.test("known fp16 values", () => {
  const bytes = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00).buffer);
  equal([...float32FromFloat16(bytes)], [1, -2, 65504, 2 ** -24, -0, Infinity]);
});

Deno.test("halves round to nearest, ties to even", () => {
  equal(words(float16FromFloat32(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520))), [
    0x3c00,
    0x3c02,
    0x7bff,
    0x7c00,
  ]);
  equal(words(bfloat16FromFloat32(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, -0))), [
    0x3f80,
    0x3f82,
    0x7f80,
    0x8000,
  ]);
});

Deno.test("a NaN stays one in bf16, whatever its payload", () => {
  const low = new Float32Array(Uint32Array.of(0x7f800001, 0xff80ffff, 0x7fffffff).buffer);
  equal([...float32FromBfloat16(bfloat16FromFloat32(low))], [NaN, NaN, NaN]);
});

Deno.test("halves are read from any byte offset, as they lie in a file", () => {
  const file = Uint8Array.of(9, 0x00, 0x3c, 0x80, 0x3f);
  equal([...float32FromFloat16(file.subarray(1, 3))], [1]);
  equal([...float32FromBfloat16(file.subarray(3, 5))], [1]);
});

Deno.test("an odd number of bytes is refused", async () => {
  await throwsSentence(() => float32FromFloat16(new Uint8Array(3)), "Cannot read 3 bytes as fp16: each value takes 2.");
});
