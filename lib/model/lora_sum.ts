/** What LoRAs add to a weight: Σ strength·(alpha/rank)·up·down. */

import { sizeOf } from "../tensor/tensor.ts";
import type { LoraModule, LoraPart } from "../weights/lora.ts";
import { type OpenFiles, readEntry } from "../weights/safetensors.ts";
import type { WeightRef, Weights } from "../weights/weights.ts";
import type { LoadedLora } from "./loras.ts";
import type { MemoryPool } from "./sessions/foreign.ts";
import type { LowRank, Stored, StoredRows } from "./sessions/weight_arithmetic.ts";

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

/** The products of a change, as they lie in their files, in the pool's memory. */
export function productsOf({ modules }: Change, files: OpenFiles, pool: MemoryPool): Promise<readonly LowRank[]> {
  return Promise.all(modules.map(async ({ module: { up, down, scale }, strength }) => {
    const [left, right] = await Promise.all([stored(up, files, pool), stored(down, files, pool)]);
    return { up: left, down: right, rank: down.shape[0], factor: strength * scale };
  }));
}

/** How the arithmetic calls the number types that it reads. */
export const STORED: Readonly<Partial<Record<WeightRef["dtype"], Stored>>> = { F32: "fp32", F16: "fp16", BF16: "bf16" };

/** A matrix of a LoRA; in float32 where its numbers are no floats. */
async function stored(ref: WeightRef, files: OpenFiles, pool: MemoryPool): Promise<StoredRows> {
  const dtype = STORED[ref.dtype];
  const memory = pool.take(dtype === undefined ? 4 * sizeOf(ref.shape) : ref.byteLength);
  if (dtype !== undefined) await files.read(ref.file, ref.offset, memory.bytes);
  else {new Float32Array(memory.bytes.buffer, memory.bytes.byteOffset, sizeOf(ref.shape)).set(
      (await readEntry(ref.file, ref)).data,
    );}
  return { dtype: dtype ?? "fp32", ...memory };
}
