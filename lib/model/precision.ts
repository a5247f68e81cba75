/** What a model computes in. */

/**
 * - "fp32": what diffusers' float32 gives, whatever the file holds.
 * - "fp16": half floats, the VAE apart, which overflows in them: computed in where the device can, and on the processor
 *   weights alone, half the memory of float32.
 * - "bf16": bfloat16, where the device has it.
 * - "int8": the U-Net's linear layers and convolutions in 8-bit integers, everything else in float32.
 * - "int4": the weights of the U-Net's linear layers in blocks of 4 bits: an eighth of float32's memory.
 */
export const PRECISIONS = ["fp32", "fp16", "bf16", "int8", "int4"] as const;

/**
 * What a model computes in. "fp32": diffusers' float32. "fp16", "bf16": half floats, the VAE apart. "int8": the
 * U-Net's layers in 8-bit integers, for speed and memory. "int4": the weights of its linear layers, for memory.
 */
export type Precision = typeof PRECISIONS[number];

/** How a runtime takes each precision: what it refuses, with the reason. */
export type Refusals = Readonly<Partial<Record<Precision, string>>>;

/** @throws RangeError that says why, for a precision that the runtime does not have */
export function wantPrecision(
  precision: Precision,
  { name, refused }: { readonly name: string; readonly refused: Refusals },
): void {
  const reason = refused[precision];
  if (reason === undefined) return;
  const allowed = PRECISIONS.filter((known) => refused[known] === undefined);
  throw new RangeError(
    `Cannot compute in ${precision} with ${name}: ${reason}. Wanted is ${allowed.join(" or ")}; ` +
      "files of any precision open with each.",
  );
}
