/** What LoRAs add to a weight: Σ strength·(alpha/rank)·up·down, as one product of two small matrices. */

import { sizeOf } from "../tensor/tensor.ts";
import type { LoraModule, LoraPart } from "../weights/lora.ts";
import { type OpenFiles, readEntry } from "../weights/safetensors.ts";
import { shapeOf, type WeightRef, type Weights } from "../weights/weights.ts";
import type { LoadedLora } from "./loras.ts";
import type { LowRank, Stored, WeightArithmetic } from "./sessions/weight_arithmetic.ts";

/** One weight, and what is added to it. */
export interface Change {
  readonly ref: WeightRef;
  readonly modules: readonly { readonly module: LoraModule; readonly strength: number }[];
}

/** What LoRAs change in a part, by diffusers' names. */
export function changesOf(weights: Weights, part: LoraPart, loras: readonly LoadedLora[]): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  for (const { lora, strength } of loras) {
    for (const [key, module] of lora.modules[part]) {
      const ref = weights.ref(key);
      if (ref) changes.set(key, { ref, modules: [...changes.get(key)?.modules ?? [], { module, strength }] });
    }
  }
  return changes;
}

/**
 * The product of a change: several LoRAs side by side are one of the sum of their ranks.
 *
 * @returns `up` `[out, ranks]`, `down` `[ranks, in]` with strengths and scales in it; undefined where nothing is added
 */
export async function productOf(
  { ref, modules }: Change,
  files: OpenFiles,
  arithmetic: WeightArithmetic,
): Promise<LowRank | undefined> {
  if (modules.length === 0) return undefined;
  const shape = shapeOf(ref);
  const [out] = shape;
  const columns = sizeOf(shape) / out;
  const rank = modules.reduce((sum, { module: { down } }) => sum + down.shape[0], 0);
  const parts = [];
  for (const { module, strength } of modules) {
    const [left, right] = [await wide(module.up, files, arithmetic), await wide(module.down, files, arithmetic)];
    const factor = strength * module.scale;
    for (let i = 0; i < right.length; i++) right[i] *= factor;
    parts.push({ left, right, own: module.down.shape[0] });
  }
  if (parts.length === 1) return { up: parts[0].left, down: parts[0].right, rank };
  const up = new Float32Array(out * rank);
  const down = new Float32Array(rank * columns);
  let before = 0;
  for (const { left, right, own } of parts) {
    down.set(right, before * columns);
    for (let row = 0; row < out; row++) {
      up.set(left.subarray(row * own, (row + 1) * own), row * rank + before);
    }
    before += own;
  }
  return { up, down, rank };
}

/** How the arithmetic calls the number types that it reads. */
export const STORED: Readonly<Partial<Record<WeightRef["dtype"], Stored>>> = { F32: "fp32", F16: "fp16", BF16: "bf16" };

/** A matrix of a LoRA in float32. */
async function wide(
  ref: WeightRef,
  files: OpenFiles,
  arithmetic: WeightArithmetic,
): Promise<Float32Array<ArrayBuffer>> {
  const dtype = STORED[ref.dtype];
  if (dtype === undefined) return (await readEntry(ref.file, ref)).data;
  const bytes = new Uint8Array(ref.byteLength);
  await files.read(ref.file, ref.offset, bytes);
  if (dtype === "fp32") return new Float32Array(bytes.buffer);
  const values = new Float32Array(sizeOf(ref.shape));
  await arithmetic.run({ dtype, bytes }, { dtype: "fp32", bytes: new Uint8Array(values.buffer) }, values.length);
  return values;
}
