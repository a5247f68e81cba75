/**
 * The safetensors file format: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
 * Opening reads the header only; tensors are read one by one, or left where they are for a runtime to map.
 *
 * Source: https://github.com/huggingface/safetensors, README, "Format".
 */

import { formatShape, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";
import { unreadable, wantFile, writeWhole } from "./files.ts";
import { BYTES, type DType, type Header, parseHeader, type TensorEntry } from "./safetensors_header.ts";

export type { DType, TensorEntry } from "./safetensors_header.ts";

/** The format's own limit: its reference reader refuses longer headers. */
const MAX_HEADER_BYTES = 100_000_000;

/** Values of a tensor that is read into memory: 8 GiB in float32. SDXL's largest has 63 million, a long record 10⁸. */
const MAX_VALUES = 2 ** 31;

export interface SafetensorsFile extends Header {
  readonly path: string;
  readonly byteLength: number;
}

/**
 * Reads the header of a safetensors file, and nothing else.
 *
 * @throws SyntaxError when the file is not what the format says: the sentence names the tensor and what was wanted.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const byteLength = await wantFile(path);
  using file = await openFile(path);
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
  using handle = await openFile(path);
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

/** Reads what lies at a place of a file, as it lies. */
export async function readBytesOf(
  path: string,
  entry: Pick<TensorEntry, "offset" | "byteLength">,
): Promise<Uint8Array> {
  using handle = await openFile(path);
  return await readBytes(handle, entry.offset, entry.byteLength);
}

/** Reads many tensors of one value each, such as the alphas of a LoRA, by name. */
export async function readScalars(
  file: SafetensorsFile,
  entries: readonly TensorEntry[],
): Promise<ReadonlyMap<string, number>> {
  using handle = await openFile(file.path);
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
 * Writes tensors one after the other as they come, whole file or none. Two are held in memory at most: one is written
 * while the next is made.
 *
 * @param bytesOf called once a tensor, in their order, one call at a time
 */
export async function streamSafetensors(
  path: string,
  tensors: readonly PlannedTensor[],
  bytesOf: (tensor: PlannedTensor) => Promise<Uint8Array>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const header: Record<string, unknown> = {};
  if (metadata.size > 0) header["__metadata__"] = Object.fromEntries(metadata);
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end += sizeOf(shape) * BYTES[dtype]] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // The data begin at a multiple of 8, as the format asks; spaces fill the header up.
  const start = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - 8), true);
  start.set(json, 8);
  await writeWhole(path, async (write) => {
    let writing = write(start);
    try {
      for (const tensor of tensors) {
        writing.catch(() => {}); // it is awaited below, once the next tensor is there
        const bytes = await bytesOf(tensor);
        const wanted = sizeOf(tensor.shape) * BYTES[tensor.dtype];
        if (bytes.length !== wanted) {
          throw new RangeError(
            `Cannot write "${tensor.name}": ${bytes.length} bytes were given, wanted are ${wanted}.`,
          );
        }
        await writing;
        writing = write(bytes);
      }
    } finally {
      await writing;
    }
  });
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

async function openFile(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function readBytes(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) throw new RangeError(`Cannot read ${length} bytes at ${offset}: the file ended early.`);
    filled += count;
  }
  return bytes;
}
