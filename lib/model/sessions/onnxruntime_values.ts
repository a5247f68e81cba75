/** Tensors of ONNX Runtime's C library: made of JavaScript's, or over memory that is there, and read back. */

import { formatShape, type Shape, sizeOf } from "../../tensor/tensor.ts";
import { viewAt } from "./foreign.ts";
import type { OnnxRuntimeLibrary } from "./onnxruntime_library.ts";

/** A tensor in JavaScript's memory. */
export interface Numbers {
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  readonly shape: Shape;
}

/** A tensor outside of it, which must stay there as long as it is used. */
export interface PlacedTensor {
  /** `ONNXTensorElementDataType` */
  readonly type: number;
  readonly shape: Shape;
  readonly address: bigint;
  readonly byteLength: number;
}

/** What the runtime gave. */
export interface Result {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: Shape;
}

/** `ONNXTensorElementDataType` */
export const ELEMENT = { float32: 1, int32: 6, float16: 10, bfloat16: 16 } as const;

/** A tensor of the runtime's over memory that is there. */
export function valueAt(
  library: OnnxRuntimeLibrary,
  { type, shape, address, byteLength }: PlacedTensor,
  what: string,
): Deno.PointerObject {
  const { functions, cpuMemory } = library;
  const sizes = BigInt64Array.from(shape, BigInt);
  const [place, bytes, rank] = [Deno.UnsafePointer.create(address), BigInt(byteLength), BigInt(shape.length)];
  return library.made((out) => functions.createTensorOn.call(cpuMemory, place, bytes, sizes, rank, type, out), what);
}

/** A tensor of the runtime's: over memory that is there, or with a copy of JavaScript's. */
export function valueFrom(
  library: OnnxRuntimeLibrary,
  tensor: Numbers | PlacedTensor,
  what: string,
): Deno.PointerObject {
  if ("address" in tensor) return valueAt(library, tensor, what);
  const { data, shape } = tensor;
  if (sizeOf(shape) !== data.length) {
    throw new RangeError(`Cannot ${what}: ${data.length} numbers do not fill ${formatShape(shape)}.`);
  }
  const { functions, allocator } = library;
  const [sizes, rank] = [BigInt64Array.from(shape, BigInt), BigInt(shape.length)];
  const type = data instanceof Float32Array ? ELEMENT.float32 : ELEMENT.int32;
  const value = library.made((out) => functions.createTensor.call(allocator, sizes, rank, type, out), what);
  if (data.byteLength > 0) {
    const at = library.made((out) => functions.tensorData.call(value, out), what);
    viewAt(Deno.UnsafePointer.value(at), data.byteLength)
      .set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return value;
}

/** A copy of a tensor of the runtime's. */
export function readValue(library: OnnxRuntimeLibrary, value: Deno.PointerObject, what: string): Result {
  const { functions } = library;
  const info = library.made((out) => functions.typeAndShape.call(value, out), what);
  try {
    const type = new Int32Array(1);
    library.want(functions.elementType.call(info, type), what);
    if (type[0] !== ELEMENT.float32) {
      throw new TypeError(`Cannot ${what}: wanted float32, its type has the number ${type[0]}.`);
    }
    const rank = new BigUint64Array(1);
    library.want(functions.rank.call(info, rank), what);
    const sizes = new BigInt64Array(Number(rank[0]));
    library.want(functions.dimensions.call(info, sizes, rank[0]), what);
    const shape = Array.from(sizes, Number);
    const data = new Float32Array(sizeOf(shape));
    if (data.length > 0) {
      const from = library.made((out) => functions.tensorData.call(value, out), what);
      Deno.UnsafePointerView.copyInto(from, data);
    }
    return { data, shape };
  } finally {
    functions.releaseTypeAndShape.call(info);
  }
}
