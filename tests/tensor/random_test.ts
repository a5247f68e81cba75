import {
  bfloat16FromFloat32,
  float16FromFloat32,
  float32FromBfloat16,
  float32FromFloat16,
} from "../../lib/tensor/half.ts";
import { noiseByHabit } from "../../lib/tensor/random/habits.ts";
import { Twister } from "../../lib/tensor/random/mt19937.ts";
import { assembled } from "../../lib/tensor/random/wasm/build.ts";
import { CAPACITY, kernel } from "../../lib/tensor/random/wasm/kernel.ts";
import { batchNoise, initialNoise, torchGenerator } from "../../lib/tensor/random/mod.ts";
import { closeEach, equal, ok, throwsSentence } from "../assert.ts";
import { readGolden } from "../goldens/read.ts";
import { boxMullerOfWords } from "./words_in_double.ts";

const goldens = readGolden("randn.safetensors");

/** What the golden script keeps of a long draw. */
function thinned(values: Float32Array): Float32Array {
  if (values.length <= 64) return values;
  const every997th = values.filter((_, i) => i % 997 === 0);
  return Float32Array.of(...values.subarray(0, 24), ...every997th, ...values.subarray(-24));
}

const seeds = new Set([...goldens.tensors.keys()].map((name) => name.split("/")[0]));
for (const seed of seeds) {
  Deno.test(`seed ${seed}: torch's words, bit for bit`, () => {
    const twister = Twister.seeded(BigInt.asUintN(64, BigInt(seed)));
    const words = Array.from({ length: 1300 }, () => twister.word() & 0x7ffffff);
    equal(Int32Array.from(words.filter((_, i) => i % 13 === 0)), Int32Array.from(goldens.integers(`${seed}/words`)));
  });

  Deno.test(`seed ${seed}: torch's CPU normals, in one call and in several`, () => {
    for (const [name, expected] of goldens.tensors) {
      const [of, counts, type] = name.split("/");
      if (of !== seed || counts === "words" || type !== undefined) continue;
      let generator = torchGenerator(BigInt(seed));
      const calls = counts.split(",").map((count) => {
        const { values, next } = generator.randn(Number(count));
        generator = next;
        return values;
      });
      const actual = calls.length === 1 ? thinned(calls[0]) : calls.flatMap((values) => [...values]);
      // From 16 values on the bits are torch's; below, torch asks the system's libm.
      if (counts.split(",").every((count) => Number(count) >= 16)) {
        equal(Float32Array.from(actual), expected.data, name);
      } else closeEach(actual, expected.data, 1e-6, name);
    }
  });
}

for (const [type, name, step] of [["fp16", "half", 2 ** -10], ["bf16", "bfloat16", 2 ** -7]] as const) {
  Deno.test(`${type} draws are torch's, whole blocks or not, in one call and in several`, () => {
    const names = [...goldens.tensors.keys()].filter((key) => key.endsWith(`/${name}`));
    equal(names.length, 9);
    for (const key of names) {
      let generator = torchGenerator(42, { type });
      const calls = key.split("/")[1].split(",").map((count) => {
        const { values, next } = generator.randn(Number(count));
        generator = next;
        return values;
      });
      const actual = calls.length === 1 ? thinned(calls[0]) : calls.flatMap((values) => [...values]);
      // A value on the edge between two halves may fall to the other side below 16 values, where torch asks libm.
      closeEach(actual, goldens.get(key).data, step, key);
      const off = [...actual].filter((value, i) => value !== goldens.get(key).data[i]).length;
      ok(off <= 1, `${key}: ${off} of ${actual.length} differ by a step`);
    }
  });
}

Deno.test("on the GPU a draw in half precision is the float32 stream, rounded", () => {
  const draw = (type?: "fp16" | "bf16") => torchGenerator(55986344589, { device: "cuda", type }).randn(100);
  equal(draw("fp16").values, float32FromFloat16(float16FromFloat32(draw().values)));
  equal(draw("bf16").values, float32FromBfloat16(bfloat16FromFloat32(draw().values)));
  equal(draw("fp16").next.randn(16).values, float32FromFloat16(float16FromFloat32(draw().next.randn(16).values)));
});

Deno.test("Philox 4×32-10 gives Random123's known answers", () => {
  const answer = (counter: number[], key: [number, number]) => {
    const { words, philox } = kernel();
    counter.forEach((word, i) => words[i].set([0, 0, 0, word, 0]));
    philox(5, ...key);
    return words.map(({ 3: word }) => (word >>> 0).toString(16).padStart(8, "0")).join(" ");
  };
  equal(answer([0, 0, 0, 0], [0, 0]), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  const ones = 0xffffffff;
  equal(answer([ones, ones, ones, ones], [ones, ones]), "408f276d 41c83b0e a20bc7c6 6d5451fd");
  const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  equal(answer(pi, [0xa4093822, 0x299f31d0]), "d16cfe09 94fdcceb 5001e420 24126ea1");
});

Deno.test("words become the normals that Math.log, Math.sin and Math.cos make of them, to float32's last bit", () => {
  const edges = [0, 1, 2, 2 ** 29, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 3 * 2 ** 29, 2 ** 32 - 2, 2 ** 32 - 1];
  const words = Int32Array.from({ length: 484 }, (_, i) => i < 121 ? edges[i % 11] : Math.imul(i, 0x9e3779b9));
  const angles = words.map((_, i) => i < 121 ? edges[Math.floor(i / 11)] : Math.imul(i, 0x85ebca6b));
  const { words: arrays, normals, boxMuller } = kernel();
  arrays[2].set(words);
  arrays[3].set(angles);
  boxMuller(484, 2);
  const [sines, cosines] = [normals[2], normals[3]];
  const uniform = (word: number) => ((word >>> 0) + 0.5) * 2 ** -32;
  const wanted = (turn: (theta: number) => number) =>
    Float32Array.from(
      words,
      (word, i) => Math.sqrt(-2 * Math.log(uniform(word))) * turn(2 * Math.PI * uniform(angles[i])),
    );
  const [sine, cosine] = [wanted(Math.sin), wanted(Math.cos)];
  for (let i = 0; i < 484; i++) {
    // 2π in double is itself off by 1e-16 of an angle: near a whole half turn that is all that is left of the sine.
    closeEach([sines[i] / (sine[i] || 1)], [1], Math.abs(sine[i]) > 1e-6 ? 2e-7 : 1e-3, `sine ${i}`);
    closeEach([cosines[i] / (cosine[i] || 1)], [1], Math.abs(cosine[i]) > 1e-6 ? 2e-7 : 1e-3, `cosine ${i}`);
  }
});

Deno.test("the vectors give the bits of plain loops in double, for odd counts too", () => {
  const { words, normals, philox, boxMuller } = kernel();
  for (const [round, count] of [CAPACITY, 1, 2, 511, 1021].entries()) {
    words.forEach((array, c) => array.forEach((_, i) => array[i] = Math.imul(i + 1, 0x9e3779b9) ^ (round * 4 + c)));
    philox(count, 7, round);
    boxMuller(count, 0);
    for (let from = 0; from < count; from += 512) {
      const end = Math.min(count, from + 512);
      const [sines, cosines] = [new Float32Array(end - from), new Float32Array(end - from)];
      boxMullerOfWords(words[0].subarray(from, end), words[1].subarray(from, end), sines, cosines);
      equal([normals[0].slice(from, end), normals[1].slice(from, end)], [sines, cosines]);
    }
  }
});

Deno.test("the committed WebAssembly is what its text assembles to", async () => {
  const committed = await Deno.readTextFile(new URL("../../lib/tensor/random/wasm/normals.ts", import.meta.url));
  equal(committed, await assembled());
});

Deno.test("habits: a generator a picture, one for all, or the seed counted up", async () => {
  const own = noiseByHabit("each-own", [7, 8], [4, 2, 2]);
  equal(own, noiseByHabit("counted-up", [7], [4, 2, 2], { batch: 2 }));
  const stream = noiseByHabit("one-stream", [7], [4, 2, 2], { batch: 2 });
  equal(stream.at(0), own.at(0));
  equal(stream.data, torchGenerator(7).randn(32).values);
  await throwsSentence(() => noiseByHabit("each-own", [7], [4, 2, 2], { batch: 2 }), /2 pictures from 1 seeds/);
  await throwsSentence(() => noiseByHabit("one-stream", [], [4, 2, 2]), /no seed was given/);
});

Deno.test("torch's GPU normals: the stream's words in the order of the grid", () => {
  const { values } = torchGenerator(0, { device: "cuda" }).randn(12);
  const expected = [-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122];
  closeEach(values.subarray(0, 7), expected, 2e-7);
  closeEach(values.subarray(7), [-0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497], 2e-7);
  closeEach(
    torchGenerator(42, { device: "cuda" }).randn(4).values,
    [0.19401887, 2.161374, -0.17205061, 0.84906006],
    5e-7,
  );
});

Deno.test("torch's GPU normals on an H100: every seed, count and type, in one call and in several", () => {
  const golden = readGolden("randn-cuda.safetensors");
  const threads = 132 * 2048; // of an H100, which draws of 16 latents of 1024×1024 pixels need more than once
  const types = { undefined: "fp32", half: "fp16", bfloat16: "bf16" } as const;
  /** The GPU's own sine and logarithm are off by a few last bits. A half float beside an edge then falls to the other side. */
  const step = { fp32: 2e-6, fp16: 2 ** -10, bf16: 2 ** -7 };
  const rest = { fp32: 1, fp16: 2e-3, bf16: 2e-4 };
  const off = { fp32: 0, fp16: 0, bf16: 0 };
  const all = { fp32: 0, fp16: 0, bf16: 0 };
  for (const [name, { data: expected }] of golden.tensors) {
    const [seed, counts, stored] = name.split("/");
    const type = types[stored === "half" || stored === "bfloat16" ? stored : "undefined"];
    let generator = torchGenerator(BigInt(seed), { device: "cuda", threads, type });
    const actual = counts.split(",").flatMap((count) => {
      const { values, next } = generator.randn(Number(count));
      generator = next;
      return [...thinned(values)];
    });
    closeEach(actual, expected, step[type], name);
    all[type] += actual.length;
    off[type] += actual.filter((value, i) => value !== expected[i]).length;
  }
  for (const type of ["fp32", "fp16", "bf16"] as const) {
    ok(all[type] > 10_000 && off[type] <= rest[type] * all[type], `${type}: ${off[type]} of ${all[type]} differ`);
  }
});

Deno.test("on the GPU, seeds that differ above 32 bits differ; on the CPU torch drops those bits", () => {
  const draw = (seed: bigint, device: "cpu" | "cuda") => torchGenerator(seed, { device }).randn(16).values;
  equal(draw(7n, "cpu"), draw(2n ** 32n + 7n, "cpu"));
  equal(draw(7n, "cuda")[0] === draw(2n ** 32n + 7n, "cuda")[0], false);
});

Deno.test("on the GPU, one call's numbers are another call's where the counters meet", () => {
  const generator = torchGenerator(5, { device: "cuda", threads: 512 });
  const whole = generator.randn(512 * 4 * 2).values; // two rounds of a grid of 512 threads
  const { values, next } = generator.randn(512 * 4);
  equal(values, whole.slice(0, 2048));
  equal(next.randn(512 * 4).values, whole.slice(2048));
});

Deno.test("drawing leaves a generator as it was", () => {
  for (const device of ["cpu", "cuda"] as const) {
    for (const count of [3, 40]) {
      const generator = torchGenerator(9, { device });
      const once = generator.randn(count);
      once.next.randn(count);
      equal(generator.randn(count).values, once.values);
    }
  }
});

Deno.test("a batch of seeds draws each picture for itself", () => {
  const { noise, generators } = initialNoise([1, 2n], [4, 3, 5]);
  equal(noise.shape, [2, 4, 3, 5]);
  equal(noise.at(1), initialNoise([2], [4, 3, 5]).noise.at(0));
  const after = torchGenerator(2).randn(60).next.randn(60).values;
  equal(batchNoise(generators, [4, 3, 5]).noise.at(1).data, after);
});

Deno.test("−1 is torch's 2⁶⁴ − 1", () => {
  equal(torchGenerator(-1).seed, 2n ** 64n - 1n);
  equal(torchGenerator(-(2n ** 63n)).seed, 2n ** 63n);
});

Deno.test("seeds that are no seeds are refused in one sentence", async () => {
  await throwsSentence(() => torchGenerator(1.5), /seed 1\.5: it is not a whole number\./);
  await throwsSentence(() => torchGenerator(NaN), /seed NaN: it is not a whole number\./);
  await throwsSentence(() => torchGenerator(2 ** 60), /beyond 2⁵³, where numbers lose digits.*bigint/);
  await throwsSentence(() => torchGenerator(2n ** 64n), /torch takes −2⁶³ to 2⁶⁴ − 1\./);
  await throwsSentence(() => torchGenerator(-(2n ** 63n) - 1n), /torch takes −2⁶³ to 2⁶⁴ − 1\./);
});
