/**
 * The safetensors file format: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
 * Opening reads the header only; tensors are read one by one, or left where they are for a runtime to map.
 *
 * Source: https://github.com/huggingface/safetensors, README, "Format".
 */

import { formatShape, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";
import { type OpenPassing, type Passing, unreadable, wantFile, type WriteOptions, writeWhole } from "./files.ts";
import { BYTES, type DType, type Header, parseHeader, type TensorEntry } from "./safetensors_header.ts";

export type { DType, TensorEntry } from "./safetensors_header.ts";

/** The format's own limit: its reference reader refuses longer headers. */
const MAX_HEADER_BYTES = 100_000_000;

/** Values of a tensor that is read into memory: 8 GiB in float32. SDXL's largest has 63 million, a long record 10⁸. */
const MAX_VALUES = 2 ** 31;

/** A file of which the header was read, and nothing else. */
export interface SafetensorsFile extends Header {
  /** Absolute where a checkpoint was opened. */
  readonly path: string;
  /** Of the whole file, header included. */
  readonly byteLength: number;
}

/**
 * Reads the header of a safetensors file, and nothing else.
 *
 * @throws SyntaxError when the file is not what the format says: the sentence names the tensor and what was wanted.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const byteLength = await wantFile(path);
  using file = await openForReading(path);
  const fail = (what: string): never => {
    throw new SyntaxError(`Cannot open ${path} as safetensors: ${what}`);
  };
  if (byteLength < 8) fail(`it has ${byteLength} bytes, the header alone needs more. Is the download complete?`);
  const length = Number(new DataView((await readBytes(file, 0, 8)).buffer).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    fail(`its first 8 bytes announce a header of ${length} bytes, allowed are ${MAX_HEADER_BYTES}. Is it safetensors?`);
  }
  if (8 + length > byteLength) {
    fail(`its header should end at byte ${8 + length}, the file ends at ${byteLength}. Is the download complete?`);
  }
  const header = parseHeader(await readBytes(file, 8, length), 8 + length, byteLength, fail);
  return { path, byteLength, ...header };
}

/** Reads one tensor as float32. Integers and half floats are widened; F64 is rounded. */
export async function readTensor(file: SafetensorsFile, name: string): Promise<Tensor> {
  const entry = file.tensors.get(name);
  if (entry === undefined) {
    throw new RangeError(`Cannot read tensor "${name}": ${file.path} has no tensor of that name.`);
  }
  return await readEntry(file.path, entry);
}

/** Reads what lies at a place of a file as float32. */
export async function readEntry(path: string, entry: Omit<TensorEntry, "name">): Promise<Tensor> {
  wantRoom(path, entry.shape);
  using handle = await openForReading(path);
  return new Tensor(toFloat32(await readBytes(handle, entry.offset, entry.byteLength), entry.dtype), entry.shape);
}

/** A file may announce more than any memory has: a hole takes no room on disk. */
function wantRoom(path: string, shape: Shape): void {
  const values = sizeOf(shape);
  if (values <= MAX_VALUES) return;
  throw new RangeError(
    `Cannot read a tensor ${formatShape(shape)} of ${path}: it would take ${
      (4 * values / 2 ** 30).toFixed(1)
    } GiB of ` +
      `memory, allowed are ${4 * MAX_VALUES / 2 ** 30}.`,
  );
}

/** Reads many tensors of one value each, such as the alphas of a LoRA, by name. */
export async function readScalars(
  file: SafetensorsFile,
  entries: readonly TensorEntry[],
): Promise<ReadonlyMap<string, number>> {
  using handle = await openForReading(file.path);
  const values = new Map<string, number>();
  for (const { name, dtype, shape, offset, byteLength } of entries) {
    if (sizeOf(shape) !== 1) {
      throw new SyntaxError(`Cannot use ${file.path}: tensor "${name}" is ${formatShape(shape)}; wanted is one value.`);
    }
    values.set(name, toFloat32(await readBytes(handle, offset, byteLength), dtype)[0]);
  }
  return values;
}

function toFloat32(bytes: Uint8Array<ArrayBuffer>, dtype: DType): Float32Array<ArrayBuffer> {
  const { buffer } = bytes;
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F64":
      return new Float32Array(new Float64Array(buffer));
    case "F16":
      return new Float32Array(new Float16Array(buffer));
    case "BF16": // the upper half of a float32
      return new Float32Array(new Uint32Array(new Uint16Array(buffer)).map((bits) => bits << 16).buffer);
    case "I64":
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case "I32":
      return new Float32Array(new Int32Array(buffer));
    case "I16":
      return new Float32Array(new Int16Array(buffer));
    case "I8":
      return new Float32Array(new Int8Array(buffer));
    case "U8":
    case "BOOL":
      return new Float32Array(bytes);
  }
}

/** A tensor that is to be written, before its bytes are there. */
export interface PlannedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * Writes tensors as they come, whole file or none. Two are held in memory: one is written while the next is made.
 * @param bytesOf called once a tensor, in their order, one call at a time
 */
export async function streamSafetensors(
  path: string,
  tensors: readonly PlannedTensor[],
  bytesOf: (tensor: PlannedTensor) => Promise<Uint8Array>,
  metadata?: ReadonlyMap<string, string>,
): Promise<void> {
  async function* whole() {
    for (const tensor of tensors) {
      const bytes = await bytesOf(tensor);
      if (bytes.length !== bytesIn(tensor)) {
        const given = `${bytes.length} bytes were given, wanted are ${bytesIn(tensor)}.`;
        throw new RangeError(`Cannot write "${tensor.name}": ${given}`);
      }
      yield bytes;
    }
  }
  await streamPieces(path, tensors, whole(), metadata);
}

export interface StreamOptions extends WriteOptions {
  /** What looks after the file while it is written. Default: it stays in the system's memory. */
  readonly passing?: OpenPassing;
}

/**
 * The same from pieces of any length: all tensors' bytes, one after the other. A piece is written while the next one is
 * made, and not looked at any more once the next but one is asked for.
 */
export async function streamPieces(
  path: string,
  tensors: readonly PlannedTensor[],
  pieces: AsyncIterable<Uint8Array>,
  metadata: ReadonlyMap<string, string> = new Map(),
  { passing, ...options }: StreamOptions = {},
): Promise<void> {
  const header: Record<string, unknown> = {};
  if (metadata.size > 0) header["__metadata__"] = Object.fromEntries(metadata);
  let end = 0;
  for (const tensor of tensors) {
    header[tensor.name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [end, end += bytesIn(tensor)] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // The data begin at a multiple of 8, as the format asks; spaces fill the header up.
  const start = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - 8), true);
  start.set(json, 8);
  await writeWhole(path, async (write, temporary) => {
    await using file = passing?.(temporary);
    let given = 0;
    const writeOn = async (bytes: Uint8Array) => {
      await write(bytes);
      given += bytes.length;
      await file?.written(given);
    };
    let writing = writeOn(start);
    try {
      writing.catch(() => {}); // it is awaited below, once the next piece is there
      for await (const piece of pieces) {
        await writing;
        writing = writeOn(piece);
        writing.catch(() => {});
      }
    } finally {
      await writing;
    }
    const data = given - start.length;
    if (data !== end) throw new RangeError(`Cannot write ${path}: ${data} bytes were given, wanted are ${end}.`);
  }, options);
}

function bytesIn({ dtype, shape }: PlannedTensor): number {
  return sizeOf(shape) * BYTES[dtype];
}

/** Writes float32 tensors, in the order given, whole or not at all. */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata?: ReadonlyMap<string, string>,
): Promise<void> {
  const planned = [...tensors].map(([name, { shape }]): PlannedTensor => ({ name, dtype: "F32", shape }));
  await streamSafetensors(path, planned, ({ name }) => Promise.resolve(bytesOf(tensors.get(name))), metadata);
}

function bytesOf(tensor: Tensor | undefined): Uint8Array {
  if (tensor === undefined) return new Uint8Array();
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** @throws an error whose message is one sentence */
async function openForReading(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function readBytes(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await readInto(file, offset, bytes);
  return bytes;
}

async function readInto(file: Deno.FsFile, offset: number, bytes: Uint8Array): Promise<void> {
  await file.seek(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) throw new RangeError(`Cannot read ${bytes.length} bytes at ${offset}: the file ended early.`);
    filled += count;
  }
}

/** Files that much is read from: each opened as often as it is read at once, since a file has one place to read at. */
export class OpenFiles implements AsyncDisposable {
  readonly #all: Deno.FsFile[] = [];
  readonly #idle = new Map<string, Deno.FsFile[]>();
  readonly #open: OpenPassing | undefined;
  readonly #passing = new Map<string, Passing | undefined>();

  /** @param passing for files of which nothing is read twice. Default: they stay in the system's memory */
  constructor(passing?: OpenPassing) {
    this.#open = passing;
  }

  /** Fills `bytes` from a place of a file. @throws RangeError where the file ends before */
  async read(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    const idle = this.#idle.get(path) ?? [];
    this.#idle.set(path, idle);
    const file = idle.pop() ?? await this.#another(path);
    try {
      await readInto(file, offset, bytes);
      if (!this.#passing.has(path)) this.#passing.set(path, this.#open?.(path));
      this.#passing.get(path)?.read(offset, bytes.length);
    } finally {
      idle.push(file);
    }
  }

  async #another(path: string): Promise<Deno.FsFile> {
    const file = await openForReading(path);
    this.#all.push(file);
    return file;
  }

  /** No read may be under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#all) file.close();
    for (const passing of this.#passing.values()) await passing?.[Symbol.asyncDispose]();
  }
}
