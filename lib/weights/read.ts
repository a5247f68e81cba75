/** Weights read into memory, the way round that a network sees them. */

import { formatShape, type Shape, Tensor } from "../tensor/tensor.ts";
import { readEntry } from "./safetensors.ts";
import type { WeightRef } from "./weights.ts";

/** A weight in float32. */
export async function readWeight(ref: WeightRef): Promise<Tensor> {
  return upright(await readEntry(ref.file, ref), ref);
}

/** A tensor that lies transposed in its file, the way round that a network sees it. */
function upright(tensor: Tensor, ref: WeightRef): Tensor {
  if (!ref.transposed) return tensor;
  const [rows, columns]: Shape = tensor.shape;
  if (tensor.shape.length !== 2) {
    throw new RangeError(`Cannot transpose ${formatShape(tensor.shape)}: wanted is a matrix.`);
  }
  const data = new Float32Array(tensor.data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[j * rows + i] = tensor.data[i * columns + j];
  return new Tensor(data, [columns, rows]);
}
