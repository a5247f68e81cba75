/** What a model computes in. */

import type { Runtime } from "./sessions/session.ts";

/**
 * - "fp32": what diffusers' float32 gives, whatever the file holds.
 * - "int8": the U-Net's linear layers in 8-bit integers, everything else in float32.
 * - "fp16", "bf16": half floats, on devices that compute in them.
 */
export const PRECISIONS = ["fp32", "fp16", "bf16", "int8"] as const;

export type Precision = typeof PRECISIONS[number];

/** Why the processor does not compute in these. */
const REFUSED: Partial<Readonly<Record<Precision, string>>> = {
  fp16: "ONNX Runtime has no float16 kernels for x86 processors",
  bf16: "ONNX Runtime has no bfloat16 kernels for processors",
};

/** @throws RangeError that says why, for a precision that the runtime does not have */
export function wantPrecision(precision: Precision, { name }: Pick<Runtime, "name">): void {
  const reason = REFUSED[precision];
  if (reason === undefined) return;
  const wanted = PRECISIONS.filter((known) => REFUSED[known] === undefined).join(" or ");
  throw new RangeError(
    `Cannot compute in ${precision} with ${name}: ${reason}. Wanted is ${wanted}; files of any precision open with both.`,
  );
}
