import { quantizeBlocks, quantizeRows } from "fewstep/weights/quantize.ts";
import { Tensor } from "fewstep";
import { equal, ok, throwsSentence } from "../assert.ts";

Deno.test("each row has its own scale, and lies as a column", () => {
  const weight = Tensor.of([1, -2, 0.5, 254, 0, 127], [2, 3]);
  const { codes, scales } = quantizeRows(weight, 127, "w");
  equal([...codes], [64, 127, -127, 0, 32, 64]);
  equal([...scales], [Math.fround(2 / 127), 2]);
});

Deno.test("a weight in the middle between two codes goes to the even one", () => {
  const { codes, scales } = quantizeRows(Tensor.of([127, 0.5, 1.5, 2.5, -0.5, -1.5, -126.5], [1, 7]), 127, "w");
  equal([...scales], [1]);
  equal([...codes], [127, 0, 2, 2, 0, -2, -126]);
});

Deno.test("every weight is at most half a scale off, in more rows than are handled together; a row of zeros stays", () => {
  const [out, inner] = [130, 7];
  const weight = new Tensor(Float32Array.from({ length: out * inner }, (_, i) => i < 7 ? 0 : Math.sin(i) * i), [
    out,
    inner,
  ]);
  const { codes, scales } = quantizeRows(weight, 63, "w");
  let most = 0;
  for (let row = 0; row < out; row++) {
    for (let column = 0; column < inner; column++) {
      const code = codes[column * out + row];
      most = Math.max(most, Math.abs(code));
      const off = Math.abs(code * scales[row] - weight.data[row * inner + column]) / scales[row];
      equal(off <= 0.5001, true, `row ${row}, column ${column} is ${off} scales off`);
    }
  }
  equal(most, 63);
});

Deno.test("a weight that is no number is refused by name", async () => {
  await throwsSentence(() => quantizeRows(Tensor.of([1, NaN, 0, 1], [2, 2]), 127, "to_q"), /"to_q": row 0 holds NaN/);
  await throwsSentence(
    () => quantizeRows(Tensor.of([1, 0, -Infinity, 1], [2, 2]), 127, "to_q"),
    /"to_q": row 1 holds Infinity/,
  );
});

Deno.test("blocks of 4 bits: each weight within a step of its code, the largest of a block exact, zeros stay", async () => {
  const values = Float32Array.from({ length: 3 * 64 }, (_, i) => i >= 128 ? 0 : Math.sin(i * 1.7) * (1 + i / 40));
  const { codes, scales } = quantizeBlocks(new Tensor(values, [3, 64]), 32, "w");
  equal([codes.length, scales.length], [96, 6]);
  const back = values.map((_, i) => (((codes[i >> 1] >> (4 * (i & 1))) & 15) - 8) * scales[i >> 5]);
  values.forEach((value, i) => {
    const off = Math.abs(back[i] - value);
    ok(off <= 1.01 * Math.abs(scales[i >> 5]) && (value !== 0 || back[i] === 0), `${value} became ${back[i]}`);
  });
  for (let block = 0; block < 4; block++) {
    const [own, read] = [values, back].map((all) => all.subarray(32 * block, 32 * block + 32));
    const largest = own.reduce((at, value, i) => Math.abs(value) > Math.abs(own[at]) ? i : at, 0);
    ok(Math.abs(own[largest] - read[largest]) < 1e-6, `block ${block}: ${own[largest]} became ${read[largest]}`);
  }
  const none = new Tensor(new Float32Array(32).fill(NaN), [1, 32]);
  await throwsSentence(() => quantizeBlocks(none, 32, "w"), /^Cannot quantise "w": block 0 holds NaN/);
});
