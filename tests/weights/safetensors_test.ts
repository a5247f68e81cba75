import { Tensor } from "fewstep";
import { openSafetensors, readTensor, writeSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { equal, throwsSentence } from "../assert.ts";
import { inFolder, writeRaw } from "../files.ts";

Deno.test("what is written is read back, names, shapes, values and metadata", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    const tensors = new Map([
      ["empty", Tensor.zeros([0, 4])],
      ["scalar", Tensor.of([0.1], [])],
      ["matrix", Tensor.of([1, -2, 3.5, NaN, Infinity, 1e-40], [2, 3])],
    ]);
    await writeSafetensors(path, tensors, new Map([["made", "by ünïcode"]]));
    const file = await openSafetensors(path);
    equal(file.metadata.get("made"), "by ünïcode");
    equal([...file.tensors.keys()], ["empty", "scalar", "matrix"]);
    for (const [name, tensor] of tensors) equal(await readTensor(file, name), tensor);
    equal((await Array.fromAsync(Deno.readDir(folder))).length, 1, "a temporary file was left behind");
  }));

Deno.test("half floats are widened exactly", () =>
  inFolder(async (folder) => {
    const path = join(folder, "half.safetensors");
    const header = JSON.stringify({
      f16: { dtype: "F16", shape: [3], data_offsets: [0, 6] },
      bf16: { dtype: "BF16", shape: [3], data_offsets: [6, 12] },
    });
    await writeRaw(path, header, 12);
    const bytes = await Deno.readFile(path);
    const data = new DataView(bytes.buffer, bytes.length - 12);
    [0x3555, 0xfbff, 0x0001].forEach((bits, i) => data.setUint16(2 * i, bits, true)); // 1/3, −65504, 2⁻²⁴
    [0x3eab, 0xff7f, 0x0001].forEach((bits, i) => data.setUint16(6 + 2 * i, bits, true));
    await Deno.writeFile(path, bytes);
    const file = await openSafetensors(path);
    equal([...(await readTensor(file, "f16")).data], [0.333251953125, -65504, 2 ** -24]);
    equal([...(await readTensor(file, "bf16")).data], [0.333984375, -3.3895313892515355e38, 2 ** -133]);
  }));

const entry = (changes: Record<string, unknown> = {}) =>
  JSON.stringify({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...changes } });

const BAD: readonly (readonly [string, string, number, RegExp])[] = [
  ["a file that was cut", entry(), 4, /tensor "w" ends at byte \d+, the file at \d+\. Is the download complete\?/],
  ["bytes that do not fit the shape", entry({ shape: [3] }), 8, /spans 8 bytes, but F32 \[3\] needs 12/],
  ["an unknown type", entry({ dtype: "F8_E4M3" }), 8, /has type "F8_E4M3"; known are F64, F32/],
  ["a negative dimension", entry({ shape: [-2] }), 8, /has shape \[-2\]; wanted whole numbers/],
  ["offsets that are no pair", entry({ data_offsets: [8] }), 8, /data_offsets \[8\]; wanted \[begin, end\]/],
  ["a tensor without description", JSON.stringify({ w: null }), 8, /tensor "w" has no description/],
  ["a header that is no object", "[1, 2]", 8, /header is not a JSON object/],
  ["a header that is no JSON", "not json", 8, /header is not JSON in UTF-8/],
  [
    "a key that stands twice",
    entry().replace("{", `{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},`),
    8,
    /names a key twice/,
  ],
  [
    "a header of many levels",
    `{"a":${"[".repeat(40)}${"]".repeat(40)}}`,
    0,
    /its header is JSON of more than 32 levels/,
  ],
  [
    "tensors that share bytes",
    entry().replace(/}$/, `,"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`),
    8,
    /"w" and "v" overlap/,
  ],
  [
    "a tensor of nine dimensions",
    entry({ dtype: "U8", shape: Array(9).fill(1), data_offsets: [0, 1] }),
    8,
    /has 9 dimensions; allowed are 8/,
  ],
  ["a name with a line's end", JSON.stringify({ "a\n\u001b[2J": {} }), 0, /tensor "a\\n\\u001b\[2J" has a name/],
  ["a name of 600 letters", JSON.stringify({ ["a".repeat(600)]: {} }), 0, /tensor "a{59}…a{59}" has a name/],
  ["a type of 1,000 letters", entry({ dtype: "x".repeat(1000) }), 8, /has type "x{59}…x{59}"; known/],
  [
    "offsets the wrong way round",
    entry({ data_offsets: [8, 0] }),
    8,
    /spans -8 bytes/,
  ],
  [
    "a shape whose size has no number",
    entry({ shape: [2 ** 53 - 1, 2 ** 53 - 1] }),
    8,
    /spans 8 bytes/,
  ],
  ["metadata that are no strings", JSON.stringify({ __metadata__: { a: 1 } }), 0, /entry "a" is not a string/],
];

for (const [what, header, dataBytes, pattern] of BAD) {
  Deno.test(`refuses ${what} in one sentence`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "bad.safetensors");
      await writeRaw(path, header, dataBytes);
      await throwsSentence(() => openSafetensors(path), pattern);
    }));
}

Deno.test("refuses a header longer than the file, than the format allows, and a file with none", () =>
  inFolder(async (folder) => {
    const path = join(folder, "bad.safetensors");
    await writeRaw(path, entry(), 8, 500);
    await throwsSentence(() => openSafetensors(path), /header should end at byte 508, the file ends at \d+/);
    await writeRaw(path, entry(), 8, 2 ** 52);
    await throwsSentence(() => openSafetensors(path), /announce a header of 4503599627370496 bytes/);
    await Deno.writeFile(path, new Uint8Array(5));
    await throwsSentence(() => openSafetensors(path), /it has 5 bytes, the header alone needs more/);
    await throwsSentence(() => openSafetensors(join(folder, "none")), /none: it does not exist\.$/);
    await throwsSentence(() => openSafetensors(folder), /safetensors|folder/);
  }));

Deno.test("a hole that announces 12 GiB of values is refused with that number, before memory is taken", () =>
  inFolder(async (folder) => {
    const path = join(folder, "hole.safetensors");
    const values = 3 * 2 ** 30;
    await writeRaw(path, JSON.stringify({ w: { dtype: "U8", shape: [values], data_offsets: [0, values] } }), 0);
    await Deno.truncate(path, (await Deno.stat(path)).size + values);
    const file = await openSafetensors(path);
    await throwsSentence(() => readTensor(file, "w"), /it would take 12\.0 GiB of memory, allowed are 8\.$/);
  }));

Deno.test({
  name: "a device and a pipe are no files, and are not waited for",
  ignore: Deno.build.os === "windows", // has neither among its paths
  fn: () =>
    inFolder(async (folder) => {
      const pipe = join(folder, "pipe.safetensors");
      await new Deno.Command("mkfifo", { args: [pipe] }).output();
      for (const path of ["/dev/zero", pipe]) {
        await throwsSentence(() => openSafetensors(path), /it is a device or a pipe, a file was wanted\.$/);
      }
    }),
});

Deno.test("writing where nothing can be written is a sentence and leaves nothing", () =>
  inFolder(async (folder) => {
    const path = join(folder, "missing", "a.safetensors");
    const tensors = new Map([["a", Tensor.of([1])]]);
    await throwsSentence(
      () => writeSafetensors(path, tensors),
      /Cannot write .*: the folder .*missing does not exist\./,
    );
    equal(await Array.fromAsync(Deno.readDir(folder)), []);
  }));

Deno.test("at the edges: eight bytes are a header of none, and a hundred million are still allowed", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    const announced = (length: bigint) => Deno.writeFile(path, new Uint8Array(new BigUint64Array([length]).buffer));
    await announced(0n);
    await throwsSentence(() => openSafetensors(path), /safetensors: (?!it has 8 bytes)/);
    await announced(100_000_000n);
    await throwsSentence(() => openSafetensors(path), /its header should end at byte 100000008, the file ends at 8/);
    await announced(100_000_001n);
    await throwsSentence(() => openSafetensors(path), /announce a header of 100000001 bytes, allowed are 100000000/);
  }));
