/** The header of a safetensors file: JSON from a stranger becomes entries, or is refused in one sentence. */

import { formatShape, type Shape, sizeOf } from "../tensor/tensor.ts";
import { JsonFault, parseJson } from "./json.ts";
import { plain, shown } from "./said.ts";

/** An element type, by the name that safetensors gives it. */
export type DType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** Element types that SDXL's files hold, with their size in bytes. */
export const BYTES: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Tensors of a file. SDXL's single file has 2,515; a LoRA of all its layers in three tensors each has 7,000. */
const MAX_TENSORS = 100_000;

/** Dimensions of a tensor: networks of this family have 4, records 5. */
const MAX_DIMENSIONS = 8;

/** Letters of a name. SDXL's longest has 114. */
const MAX_NAME = 512;

/** Where a tensor lies. The bytes are row-major and little-endian. */
export interface TensorEntry {
  /** As it stands in the file. */
  readonly name: string;
  /** Of every value of it. */
  readonly dtype: DType;
  /** Row-major; `[]` for a scalar. */
  readonly shape: Shape;
  /** Position of the first byte in the file. */
  readonly offset: number;
  /** Values times bytes of the type. */
  readonly byteLength: number;
}

/** What a header says. */
export interface Header {
  /** The file's own remarks, text by text. */
  readonly metadata: ReadonlyMap<string, string>;
  /** By their names in the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** Ends in an error that says which file it is about. */
export type Fail = (what: string) => never;

/**
 * @param dataStart position of the data's first byte in the file
 * @param fileEnd bytes of the file
 */
export function parseHeader(bytes: Uint8Array, dataStart: number, fileEnd: number, fail: Fail): Header {
  const header = parseObject(bytes, fail);
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, parseEntry(name, entry, dataStart, fileEnd, fail));
  }
  if (tensors.size > MAX_TENSORS) fail(`it names ${tensors.size} tensors, allowed are ${MAX_TENSORS}.`);
  wantApart([...tensors.values()], fail);
  return { metadata: parseMetadata(header["__metadata__"], fail), tensors };
}

function parseObject(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  let header: unknown;
  try {
    header = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const clause = error instanceof JsonFault ? error.message.replace(/^it is (not JSON)?/, "$1") : "not JSON";
    return fail(`its header is ${clause === "not JSON" ? "not JSON in UTF-8" : clause}.`);
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
    metadata.set(key, typeof text === "string" ? text : fail(`its __metadata__ entry ${shown(key)} is not a string.`));
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
  if (name.length > MAX_NAME || plain(name, MAX_NAME) !== name) {
    return fail(`tensor ${shown(name)} has a name that is longer than ${MAX_NAME} letters or not printable.`);
  }
  const what = `tensor "${plain(name)}"`;
  if (!isRecord(value)) return fail(`${what} has no description.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) return fail(`${what} has type ${shown(dtype)}; known are ${Object.keys(BYTES).join(", ")}.`);
  if (!isWholeNumbers(shape)) return fail(`${what} has shape ${shown(shape)}; wanted whole numbers.`);
  if (shape.length > MAX_DIMENSIONS) {
    return fail(`${what} has ${shape.length} dimensions; allowed are ${MAX_DIMENSIONS}.`);
  }
  if (!isWholeNumbers(offsets) || offsets.length !== 2) {
    return fail(`${what} has data_offsets ${shown(offsets)}; wanted [begin, end].`);
  }
  const [begin, end] = offsets;
  const wanted = sizeOf(shape) * BYTES[dtype];
  if (end - begin !== wanted) {
    fail(`${what} spans ${end - begin} bytes, but ${dtype} ${formatShape(shape)} needs ${wanted}. Is it damaged?`);
  }
  if (dataStart + end > fileEnd) {
    fail(`${what} ends at byte ${dataStart + end}, the file at ${fileEnd}. Is the download complete?`);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength: wanted };
}

/** No byte belongs to two tensors, as the format has it: who shares bytes hides something, or is damaged. */
function wantApart(entries: readonly TensorEntry[], fail: Fail): void {
  const filled = entries.filter(({ byteLength }) => byteLength > 0).sort((a, b) => a.offset - b.offset);
  for (const [i, { name, offset }] of filled.entries()) {
    const before = filled[i - 1];
    if (before === undefined || before.offset + before.byteLength <= offset) continue;
    fail(`tensors "${plain(before.name)}" and "${plain(name)}" overlap. Is it damaged?`);
  }
}
