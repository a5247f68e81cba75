/** Weights changed on their way from file to file, against the same sum in double. */

import { openSafetensors } from "fewstep/weights/safetensors.ts";
import type { WeightRef } from "fewstep/weights/weights.ts";
import { WeightArithmetic } from "fewstep/model/sessions/weight_arithmetic.ts";
import { streamWeights, type WeightJob } from "fewstep/model/weight_stream.ts";
import {
  bfloat16FromFloat32,
  float16FromFloat32,
  float32FromBfloat16,
  float32FromFloat16,
} from "fewstep/tensor/half.ts";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { close, equal, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { save, type Stored } from "../layouts.ts";

/** Rows of 1,000: the first is cut into two pieces, since one takes four megabytes. */
const [ROWS, COLUMNS] = [2600, 1000];

function values(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 0.7) * 2);
}

const half = (of: Float32Array) => float32FromFloat16(float16FromFloat32(of));
const stored = (dtype: string, shape: readonly number[], bytes: Uint8Array): Stored => ({ dtype, shape, bytes });
const [weight, up, down, up2, down2] = [
  values(ROWS * COLUMNS, 1),
  values(ROWS * 3, 2),
  values(3 * COLUMNS, 3),
  values(ROWS, 4),
  values(COLUMNS, 5),
].map(half);

async function inFiles(body: (refs: Record<string, WeightRef>) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const path = join(folder, "weights.safetensors");
    const f32 = (of: Float32Array) => new Uint8Array(of.buffer, of.byteOffset, of.byteLength);
    await save(
      path,
      new Map([
        ["odd", stored("I8", [3], Uint8Array.of(1, 254, 3))],
        ["fp16", stored("F16", [ROWS, COLUMNS], float16FromFloat32(weight))],
        ["bf16", stored("BF16", [ROWS, COLUMNS], bfloat16FromFloat32(weight))],
        ["fp32", stored("F32", [ROWS, COLUMNS], f32(weight))],
        ["up", stored("F16", [ROWS, 3], float16FromFloat32(up))],
        ["down", stored("F32", [3, COLUMNS], f32(down))],
        ["up2", stored("BF16", [ROWS, 1], bfloat16FromFloat32(up2))],
        ["down2", stored("F16", [1, COLUMNS], float16FromFloat32(down2))],
      ]),
    );
    const { tensors } = await openSafetensors(path);
    await body(Object.fromEntries([...tensors].map(([key, entry]) => [key, { ...entry, key, file: path }])));
  });
}

/** By the byte: as many values as here take a deep comparison seconds. */
function same(actual: Uint8Array, expected: Uint8Array): void {
  equal([actual.length, Buffer.compare(actual, expected)], [expected.length, 0]);
}

/** All bytes, copied as they come, since a piece's memory is used again. */
async function bytesOf(jobs: readonly WeightJob[]): Promise<Uint8Array<ArrayBuffer>> {
  const arithmetic = new WeightArithmetic();
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of streamWeights(jobs, arithmetic)) pieces.push(piece.slice());
  } finally {
    await arithmetic.release();
  }
  return new Uint8Array(await new Blob(pieces.map((piece) => new Uint8Array(piece))).arrayBuffer());
}

Deno.test("a weight in its own type passes byte for byte, with halves as with float32", () =>
  inFiles(async ({ fp16, fp32 }) => {
    const plain = await bytesOf([{ ref: fp16, modules: [], to: "fp16" }, { ref: fp32, modules: [], to: "fp32" }]);
    const wanted = [float16FromFloat32(weight), new Uint8Array(weight.buffer)];
    same(plain.subarray(0, wanted[0].length), wanted[0]);
    same(plain.subarray(wanted[0].length), wanted[1]);
  }));

Deno.test("each type becomes each other, rounded once to nearest, in pieces of rows", () =>
  inFiles(async ({ fp16, bf16, fp32, odd }) => {
    const told: string[] = [];
    const jobs = [fp16, bf16, fp32, odd].flatMap((ref) =>
      (["fp16", "fp32"] as const).map((to) => ({ ref, modules: [], to, done: () => told.push(`${ref.key} ${to}`) }))
    );
    const bytes = await bytesOf(jobs);
    const brain = float32FromBfloat16(bfloat16FromFloat32(weight));
    let at = 0;
    for (const expected of [weight, brain, weight, Float32Array.of(1, -2, 3)]) {
      const halves = float16FromFloat32(expected);
      same(bytes.subarray(at, at += halves.length), halves);
      const whole = new Uint8Array(expected.buffer);
      same(bytes.subarray(at, at += whole.length), whole);
    }
    equal(told, jobs.map(({ ref, to }) => `${ref.key} ${to}`));
  }));

Deno.test("rows of an odd number of halves, in pieces and parts of pieces", () =>
  inFolder(async (folder) => {
    const [rows, columns] = [6001, 777];
    const numbers = half(values(rows * columns, 6));
    const [narrow, wide] = [float16FromFloat32(numbers), new Uint8Array(numbers.buffer)];
    const path = join(folder, "weights.safetensors");
    await save(
      path,
      new Map([["narrow", stored("F16", [rows, columns], narrow)], ["wide", stored("F32", [rows, columns], wide)]]),
    );
    const { tensors } = await openSafetensors(path);
    const [fp16, fp32] = ["narrow", "wide"].map((key): WeightRef => {
      const entry = tensors.get(key);
      if (entry === undefined) throw new Error(`The test wrote no ${key}.`);
      return { ...entry, key, file: path };
    });
    same(await bytesOf([{ ref: fp32, modules: [], to: "fp16" }]), narrow);
    same(await bytesOf([{ ref: fp16, modules: [], to: "fp32" }]), wide);
  }));

Deno.test("two LoRAs are added, each at its strength and scale; at strength 0 the weight is itself", () =>
  inFiles(async ({ fp16, up: left, down: right, up2: left2, down2: right2 }) => {
    const modules = (a: number, b: number) => [
      { strength: a, module: { key: "", up: left, down: right, scale: 2 } },
      { strength: b, module: { key: "", up: left2, down: right2, scale: 1 } },
    ];
    const brain = float32FromBfloat16(bfloat16FromFloat32(up2));
    const wanted = Float32Array.from(weight, (value, i) => {
      const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
      let sum = value + -0.25 * brain[row] * down2[column];
      for (let r = 0; r < 3; r++) sum += 0.5 * 2 * up[row * 3 + r] * down[r * COLUMNS + column];
      return sum;
    });
    const whole = new Float32Array((await bytesOf([{ ref: fp16, modules: modules(0.5, -0.25), to: "fp32" }])).buffer);
    close(whole, wanted, 1e-6);
    same(await bytesOf([{ ref: fp16, modules: modules(0.5, -0.25), to: "fp16" }]), float16FromFloat32(whole));
    same(await bytesOf([{ ref: fp16, modules: modules(0, 0), to: "fp16" }]), float16FromFloat32(weight));
    // Turned on its way, and lying turned: there and back is the same.
    const turned = await bytesOf([{ ref: fp16, modules: modules(0.5, -0.25), to: "fp32", turned: "transposed" }]);
    const column = new Float32Array(turned.buffer).filter((_, i) => i % ROWS === 7);
    equal(column, whole.slice(7 * COLUMNS, 8 * COLUMNS));
    const lying: WeightRef = { ...fp16, transposed: true };
    same(await bytesOf([{ ref: lying, modules: [], to: "fp16", turned: "transposed" }]), float16FromFloat32(weight));
  }));

Deno.test("what half floats cannot hold is told by name and place, in the second piece too; an infinity stays one", () =>
  inFiles(async ({ fp32, fp16 }) => {
    const [place, infinite] = [2500 * COLUMNS + 3, 2500 * COLUMNS + 1];
    const patch = async (ref: WeightRef, index: number, bytes: Uint8Array) => {
      using file = await Deno.open(ref.file, { write: true });
      await file.seek(ref.offset + index * bytes.length, Deno.SeekMode.Start);
      await file.write(bytes);
    };
    await patch(fp32, infinite, new Uint8Array(Float32Array.of(Infinity).buffer));
    const bytes = await bytesOf([{ ref: fp32, modules: [], to: "fp16" }]);
    equal(new Float16Array(bytes.buffer)[infinite], Infinity);
    await patch(fp32, place, new Uint8Array(Float32Array.of(-65520).buffer));
    await throwsSentence(
      () => bytesOf([{ ref: fp16, modules: [], to: "fp32" }, { ref: fp32, modules: [], to: "fp16" }]),
      `Cannot bake "fp32" as fp16: -65520 at index ${place} is beyond half floats' 65504. Bake as fp32.`,
    );
  }));

Deno.test("a file that ends before its weight does is told", () =>
  inFiles(async ({ fp16 }) => {
    await Deno.truncate(fp16.file, fp16.offset + 5_000_000);
    await throwsSentence(() => bytesOf([{ ref: fp16, modules: [], to: "fp32" }]), /the file ended early/);
  }));
