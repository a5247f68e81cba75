/** Words in a PNG file: tEXt and iTXt chunks (PNG, third edition, section 11.3.3). sharp writes none. */

import { crc32 } from "node:zlib";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array<ArrayBuffer>;
  /** Length, type, data and checksum. */
  readonly whole: Uint8Array<ArrayBuffer>;
}

/** The same picture with these keywords and texts, before the pixels, where readers look first. */
export function withText(png: Uint8Array<ArrayBuffer>, texts: ReadonlyMap<string, string>): Uint8Array<ArrayBuffer> {
  const [header, ...rest] = chunksOf("the picture", png);
  const words = [...texts].map(([keyword, text]) => textChunk(keyword, text));
  return joined([new Uint8Array(signature), header.whole, ...words, ...rest.map(({ whole }) => whole)]);
}

/** Keywords and texts of a PNG. Compressed ones, which the kit does not write, are left out. */
export function textsOf(png: Uint8Array<ArrayBuffer>, path = "the picture"): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { type, data } of chunksOf(path, png)) {
    const end = data.indexOf(0);
    if (end < 1) continue;
    const keyword = latin1(data.subarray(0, end));
    if (type === "tEXt") texts.set(keyword, latin1(data.subarray(end + 1)));
    if (type === "iTXt" && data[end + 1] === 0) {
      const language = data.indexOf(0, end + 3);
      const translated = data.indexOf(0, language + 1);
      if (language > 0 && translated > 0) {
        texts.set(keyword, new TextDecoder().decode(data.subarray(translated + 1)));
      }
    }
  }
  return texts;
}

/** tEXt where Latin-1 has all letters, which every reader knows; iTXt in UTF-8 else. */
function textChunk(keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const codes = Array.from(text, (letter) => letter.codePointAt(0) ?? 0);
  const name = new TextEncoder().encode(keyword);
  if (codes.every((code) => code > 0 && code < 256)) {
    return chunk("tEXt", joined([name, new Uint8Array([0]), new Uint8Array(codes)]));
  }
  return chunk("iTXt", joined([name, new Uint8Array([0, 0, 0, 0, 0]), new TextEncoder().encode(text)]));
}

function chunk(type: string, data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const body = joined([new TextEncoder().encode(type), data]);
  return joined([fourBytes(data.length), body, fourBytes(crc32(body))]);
}

/** @throws SyntaxError where the bytes are no PNG, or end within a chunk */
function chunksOf(name: string, png: Uint8Array<ArrayBuffer>): Chunk[] {
  if (!signature.every((byte, index) => png[index] === byte)) {
    throw new SyntaxError(`Cannot read ${name} as a PNG: it is none.`);
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks: Chunk[] = [];
  for (let at = signature.length; at + 12 <= png.length;) {
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > png.length) {
      throw new SyntaxError(`Cannot read ${name} as a PNG: it ends within a chunk. Is the download complete?`);
    }
    const type = latin1(png.subarray(at + 4, at + 8));
    chunks.push({ type, data: png.subarray(at + 8, end - 4), whole: png.subarray(at, end) });
    at = end;
  }
  if (chunks[0]?.type !== "IHDR") {
    throw new SyntaxError(`Cannot read ${name} as a PNG: it does not begin with a header.`);
  }
  return chunks;
}

function fourBytes(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One letter a byte. TextDecoder's "latin1" is Windows-1252, which differs in 32 letters. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
