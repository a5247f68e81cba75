/**
 * The safetensors file format: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
 * Opening reads the header only; tensors are read one by one, or left where they are for a runtime to map.
 *
 * Source: https://github.com/huggingface/safetensors, README, "Format".
 */

import { formatShape, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";
import { unreadable, writeWhole } from "./files.ts";

/** Element types that SDXL's files hold, with their size in bytes. */
const BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;

export type DType = keyof typeof BYTES;

/** The format's own limit: its reference reader refuses longer headers. */
const MAX_HEADER_BYTES = 100_000_000;

/** Where a tensor lies. The bytes are row-major and little-endian. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Position of the first byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsFile {
  readonly path: string;
  readonly byteLength: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/**
 * Reads the header of a safetensors file, and nothing else.
 *
 * @throws SyntaxError when the file is not what the format says: the sentence names the tensor and what was wanted.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  using file = await openForReading(path);
  const { size: byteLength, isFile } = await file.stat();
  if (!isFile) throw unreadable(path, new Deno.errors.IsADirectory());
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
  const header = parseHeader(await readBytes(file, 8, length), fail);
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, parseEntry(name, entry, 8 + length, byteLength, fail));
  }
  return { path, byteLength, metadata: parseMetadata(header["__metadata__"], fail), tensors };
}

type Fail = (what: string) => never;

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail("its header is not JSON in UTF-8.");
  }
  return isRecord(header) ? header : fail("its header is not a JSON object.");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseMetadata(value: unknown, fail: Fail): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined || value === null) return metadata;
  if (!isRecord(value)) return fail("its __metadata__ is not an object of strings.");
  for (const [key, text] of Object.entries(value)) {
    metadata.set(key, typeof text === "string" ? text : fail(`its __metadata__ entry "${key}" is not a string.`));
  }
  return metadata;
}

function isDType(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(BYTES, value);
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function parseEntry(name: string, value: unknown, dataStart: number, fileEnd: number, fail: Fail): TensorEntry {
  if (!isRecord(value)) return fail(`tensor "${name}" has no description.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) {
    return fail(`tensor "${name}" has type ${JSON.stringify(dtype)}; known are ${Object.keys(BYTES).join(", ")}.`);
  }
  if (!isWholeNumbers(shape)) return fail(`tensor "${name}" has shape ${JSON.stringify(shape)}; wanted whole numbers.`);
  if (!isWholeNumbers(offsets) || offsets.length !== 2) {
    return fail(`tensor "${name}" has data_offsets ${JSON.stringify(offsets)}; wanted [begin, end].`);
  }
  const [begin, end] = offsets;
  const wanted = sizeOf(shape) * BYTES[dtype];
  if (end - begin !== wanted) {
    fail(
      `tensor "${name}" spans ${end - begin} bytes, but ${dtype} ${formatShape(shape)} needs ${wanted}. Is it damaged?`,
    );
  }
  if (dataStart + end > fileEnd) {
    fail(`tensor "${name}" ends at byte ${dataStart + end}, the file at ${fileEnd}. Is the download complete?`);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength: wanted };
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
  using handle = await openForReading(path);
  return new Tensor(toFloat32(await readBytes(handle, entry.offset, entry.byteLength), entry.dtype), entry.shape);
}

/** Reads what lies at a place of a file, as it lies. */
export async function readBytesOf(
  path: string,
  entry: Pick<TensorEntry, "offset" | "byteLength">,
): Promise<Uint8Array<ArrayBuffer>> {
  using handle = await openForReading(path);
  return await readBytes(handle, entry.offset, entry.byteLength);
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

/**
 * The same from pieces of any length: all tensors' bytes, one after the other. A piece is written while the next one is
 * made, and not looked at any more once the next but one is asked for.
 */
export async function streamPieces(
  path: string,
  tensors: readonly PlannedTensor[],
  pieces: AsyncIterable<Uint8Array>,
  metadata: ReadonlyMap<string, string> = new Map(),
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
  await writeWhole(path, async (write) => {
    let writing = write(start);
    let given = 0;
    try {
      writing.catch(() => {}); // it is awaited below, once the next piece is there
      for await (const piece of pieces) {
        await writing;
        given += piece.length;
        writing = write(piece);
        writing.catch(() => {});
      }
    } finally {
      await writing;
    }
    if (given !== end) throw new RangeError(`Cannot write ${path}: ${given} bytes were given, wanted are ${end}.`);
  });
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
export async function openForReading(path: string): Promise<Deno.FsFile> {
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

/** Fills `bytes` from a place of a file. @throws RangeError where the file ends before */
export async function readInto(file: Deno.FsFile, offset: number, bytes: Uint8Array): Promise<void> {
  await file.seek(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) throw new RangeError(`Cannot read ${bytes.length} bytes at ${offset}: the file ended early.`);
    filled += count;
  }
}
