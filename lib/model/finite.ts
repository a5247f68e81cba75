/** Tensors that hold no picture: refused by name, rather than drawn black. */

import type { Tensor } from "../tensor/tensor.ts";

/** @throws RangeError naming the first value that is NaN or infinite */
export function wantFinite({ data }: Tensor, what: string): void {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new RangeError(`Cannot go on: ${what} holds ${data[bad]} at index ${bad}.`);
}
