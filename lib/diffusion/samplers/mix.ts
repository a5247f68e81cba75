/** Weighted sums of tensors, the one thing that every sampler's formula ends in. */

import { zipped } from "../../tensor/elementwise.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** a·x + b·y, rounded once. */
export function mix(a: number, x: Tensor, b: number, y: Tensor): Tensor {
  return zipped("mix", x, y, (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = a * x[i] + b * y[i];
  });
}

/** x + a·noise; x itself where a is 0. @throws RangeError when noise is missing */
export function renoised(x: Tensor, a: number, noise: Tensor | undefined): Tensor {
  if (a === 0) return x;
  if (noise === undefined) throw new RangeError("Cannot take the step: the sampler asked for noise and got none.");
  return mix(1, x, a, noise);
}
