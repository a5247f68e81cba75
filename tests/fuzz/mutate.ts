/** Files made wrong where their format has meaning: a JSON value, a tensor's entry, a chunk, a length. */

import { crc32 } from "node:zlib";
import type { Random } from "./random.ts";

/** What readers stumble over, as JSON has it. */
const NASTY: readonly string[] = [
  "0",
  "-1",
  "1",
  "2",
  "3",
  "0.5",
  "255",
  "65536",
  "1e6",
  "2147483648",
  "9007199254740993",
  "1e308",
  "1e999",
  "-1e999",
  "1e-999",
  "null",
  "true",
  "false",
  '""',
  '"a"',
  '"../../etc/passwd"',
  '"/etc/passwd"',
  '"/dev/zero"',
  '"con"',
  '"C:\\\\x"',
  '"a\\u0000b"',
  '"line\\nend"',
  '"\\u001b[2J"',
  '"\\ud800"',
  '"__proto__"',
  '"constructor"',
  "[]",
  "{}",
  "[[]]",
  "[0]",
  "[-1]",
  "[1e999]",
  "[null]",
  '{"a":1,"a":2}',
  '{"__proto__":{"x":1}}',
  `"${"long".repeat(5000)}"`,
  "[".repeat(60) + "]".repeat(60),
  `[${"1,".repeat(3000)}1]`,
  "99999999999999999999",
  '"1e9"',
  '"NaN"',
  '"epsilon"',
  '"euler"',
  '"F32"',
  "[1,1,1,1,1,1,1,1,1]",
]; // deno-fmt-ignore

interface Place {
  readonly path: readonly string[];
  readonly value: unknown;
}

function places(value: unknown, path: readonly string[] = []): Place[] {
  const own = { path, value };
  if (typeof value !== "object" || value === null) return [own];
  return [own, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...path, key]))];
}

/** Stands for what will be written in its place: JSON.stringify writes neither 1e999 nor a key twice. */
const MARK = "\u2060here\u2060";

/** A JSON text with one to three things wrong in it. @param words that stand elsewhere in files of its kind */
export function mutateJson(random: Random, text: string, words: readonly string[] = []): string {
  let mutated = text;
  for (let n = 1 + random.below(3); n > 0; n--) mutated = mutateOnce(random, mutated, words);
  return mutated;
}

function mutateOnce(random: Random, text: string, words: readonly string[]): string {
  if (random.once(12)) return mutateText(random, text);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return mutateText(random, text); // an earlier change made it no JSON any more
  }
  const all = places(json);
  const { path, value } = random.pick(all);
  const last = path.at(-1);
  const nasty = words.length > 0 && random.once(4) ? JSON.stringify(random.pick(words)) : random.pick(NASTY);
  if (last === undefined || random.below(10) < 6) return written(json, path, nasty);
  const parent = all.find(({ path: other }) =>
    other.length === path.length - 1 && other.every((k, i) => k === path[i])
  );
  const entries = Object.entries(parent?.value ?? {});
  const isList = Array.isArray(parent?.value);
  const pieces = entries.map(([key, inner]) =>
    isList ? JSON.stringify(inner) : `${JSON.stringify(key)}:${JSON.stringify(inner)}`
  );
  const at = entries.findIndex(([key]) => key === last);
  switch (random.below(5)) {
    case 0:
      pieces.splice(at, 1);
      break;
    case 1:
      pieces.push(pieces[at]); // a key twice, or one more in a list
      break;
    case 2:
      if (!isList) pieces[at] = `${random.pick(NASTY.filter((text) => text.startsWith('"')))}:${JSON.stringify(value)}`;
      break;
    case 3:
      pieces.reverse();
      break;
    default: {
      const [, other] = random.pick(entries);
      pieces[at] = isList ? JSON.stringify(other) : `${JSON.stringify(last)}:${JSON.stringify(other)}`;
    }
  }
  return written(json, path.slice(0, -1), isList ? `[${pieces}]` : `{${pieces}}`);
}

/** The JSON with a text in the place of one of its values. */
function written(json: unknown, path: readonly string[], text: string): string {
  const put = (value: unknown, [key, ...rest]: readonly string[]): unknown => {
    if (key === undefined) return MARK;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((inner, i) => String(i) === key ? put(inner, rest) : inner);
    return Object.fromEntries(Object.entries(value).map(([k, inner]) => [k, k === key ? put(inner, rest) : inner]));
  };
  return (JSON.stringify(put(json, path)) ?? MARK).replace(JSON.stringify(MARK), () => text);
}

/** Letters dropped, doubled, swapped; lines too. */
export function mutateText(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + 1 + random.below(20));
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(to);
    case 2:
      return text.slice(0, to) + text.slice(at);
    case 3:
      return text.slice(0, at) + random.pick(["\0", "\ufeff", "\n", " ", '"', "\ud800", "{", "\u202e"]) +
        text.slice(at);
    case 4:
      return text.split("\n").toReversed().join("\n");
    default:
      return "";
  }
}

/** Bytes changed, cut out, cut off, doubled. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const at = random.below(Math.max(1, random.once(2) ? Math.min(64, copy.length) : copy.length));
  switch (random.below(5)) {
    case 0:
      return copy.slice(0, at);
    case 1: {
      for (let n = 1 + random.below(8); n > 0; n--) copy[random.below(copy.length)] ^= 1 << random.below(8);
      return copy;
    }
    case 2:
      return copy.fill(random.pick([0, 255, 127, 128]), at, at + 1 + random.below(8));
    case 3:
      return joined(copy.slice(0, at), copy.slice(Math.min(copy.length, at + 1 + random.below(64))));
    default:
      return joined(copy, copy.slice(at));
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A safetensors file: its header's JSON, its length, its tensors' values, or its bytes. */
export function mutateSafetensors(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (random.once(8)) return mutateBytes(random, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const data = new Uint8Array(bytes.subarray(8 + length));
  const what = random.below(10);
  if (what === 0) { // the values: NaN, infinity, the smallest and largest
    const values = new DataView(data.buffer);
    const bits = random.pick([0x7fc00000, 0x7f800000, 0xff800000, 0x00000001, 0x7f7fffff, 0x7e007e00]);
    for (let n = 1 + random.below(64); n > 0; n--) values.setUint32(4 * random.below(data.length >> 2), bits, true);
  }
  const changed = what === 0
    ? header
    : what < 7
    ? mutateEntry(random, header)
    : mutateJson(random, header, namesIn(header));
  const json = new TextEncoder().encode(changed);
  const start = new Uint8Array(8);
  const told = what === 9
    ? random.pick([0n, 1n, 2n ** 63n, 2n ** 64n - 1n, BigInt(json.length + 1)])
    : BigInt(json.length);
  new DataView(start.buffer).setBigUint64(0, told, true);
  return joined(start, json, data);
}

function namesIn(header: string): string[] {
  return Object.keys(JSON.parse(header)).slice(0, 200);
}

/** One tensor's dtype, shape, place or name, so that the rest stays right. */
function mutateEntry(random: Random, header: string): string {
  const json: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(header);
  const names = Object.keys(json).filter((name) => name !== "__metadata__");
  for (let n = 1 + random.below(3); n > 0; n--) {
    const name = random.pick(names);
    const entry = json[name];
    if (entry === undefined) continue;
    const [begin, end] = entry.data_offsets;
    switch (random.below(8)) {
      case 0:
        entry.shape = entry.shape.toReversed();
        break;
      case 1: // as many values in another shape
        entry.shape = random.pick([[entry.shape.reduce((a, b) => a * b, 1)], [...entry.shape, 1], [1, ...entry.shape]]);
        break;
      case 2: { // half as wide, and as many
        entry.dtype = random.pick(["F16", "BF16", "I16"]);
        entry.shape = [2, ...entry.shape];
        break;
      }
      case 3:
        entry.dtype = random.pick(["F32", "I32", "F64", "BOOL", "U8", "F8_E5M2"]);
        break;
      case 4: // none of it
        entry.shape = [0, ...entry.shape.slice(1)];
        entry.data_offsets = [begin, begin];
        break;
      case 5:
        entry.data_offsets = random.pick([[begin + 4, end + 4], [begin, end - 4], [0, end - begin], [end, begin]]);
        break;
      case 6:
        delete json[name];
        break;
      default: // another's name
        json[
          random.pick([random.pick(names), `${name}.alpha`, name.replace(/\d+/, "99"), name.slice(3), `unet.${name}`])
        ] = entry;
    }
  }
  return JSON.stringify(json);
}

/** A PNG: its chunks, with checksums that are right, so that readers go on. */
export function mutatePng(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (random.once(4)) return mutateBytes(random, bytes);
  const chunks: { type: Uint8Array; data: Uint8Array<ArrayBuffer> }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    chunks.push({ type: bytes.slice(at + 4, at + 8), data: new Uint8Array(bytes.slice(at + 8, at + 8 + length)) });
    at += 12 + length;
  }
  const index = random.below(chunks.length);
  const chunk = chunks[index];
  switch (random.below(6)) {
    case 0:
      chunks.splice(index, 1);
      break;
    case 1:
      chunks.splice(index, 0, chunk);
      break;
    case 2:
      chunk.data = mutateBytes(random, chunk.data);
      break;
    case 3: // width, height, depth, colour, compression, filter, interlace
      new DataView(chunks[0].data.buffer).setUint32(
        random.pick([0, 4, 8]),
        random.pick([0, 1, 7, 65535, 2 ** 31 - 1, 2 ** 32 - 1]),
      );
      break;
    case 4:
      chunks.reverse();
      break;
    default:
      chunk.data = new Uint8Array(0);
  }
  const whole = chunks.map(({ type, data }) => {
    const body = joined(type, data);
    const frame = new Uint8Array(12 + data.length);
    new DataView(frame.buffer).setUint32(0, random.once(20) ? random.below(2 ** 31) : data.length);
    frame.set(body, 4);
    new DataView(frame.buffer).setUint32(8 + data.length, crc32(body));
    return frame;
  });
  return joined(bytes.subarray(0, 8), ...whole);
}
