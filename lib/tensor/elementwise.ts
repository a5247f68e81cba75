/**
 * Formulas over whole tensors. The loop stands in the formula, not around it: each then compiles to plain arithmetic,
 * where a callback for each of a latent's 65,536 values would cost several times as much.
 */

import { formatShape, Tensor } from "./tensor.ts";

type Values = Float32Array<ArrayBuffer>;

/** A tensor of `x`'s shape that `kernel` fills, value by value. */
export function mapped(x: Tensor, kernel: (out: Values, x: Values) => void): Tensor {
  const out = new Float32Array(x.data.length);
  kernel(out, x.data);
  return new Tensor(out, x.shape);
}

/** The same of two tensors of one shape. `verb` names the operation in an error. @throws RangeError */
export function zipped(
  verb: string,
  x: Tensor,
  y: Tensor,
  kernel: (out: Values, x: Values, y: Values) => void,
): Tensor {
  if (formatShape(x.shape) !== formatShape(y.shape)) {
    throw new RangeError(
      `Cannot ${verb} tensors ${formatShape(x.shape)} and ${formatShape(y.shape)}: their shapes must be equal.`,
    );
  }
  return mapped(x, (out, values) => kernel(out, values, y.data));
}
