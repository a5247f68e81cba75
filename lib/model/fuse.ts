/**
 * LoRAs fused: W + Σ strength·(alpha/rank)·up·down (Hu et al. 2021, arXiv 2106.09685, section 4.1), computed in float32
 * piece by piece and kept in a file of their own, from which the runtime maps them like any others.
 */

import { join } from "node:path";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { LoraPart } from "../weights/lora.ts";
import { openSafetensors, type PlannedTensor, streamPieces } from "../weights/safetensors.ts";
import { shapeOf, type Weights } from "../weights/weights.ts";
import { type Change, changesOf } from "./lora_sum.ts";
import type { LoadedLora } from "./loras.ts";
import { PassingFile } from "./sessions/pages.ts";
import { WeightArithmetic } from "./sessions/weight_arithmetic.ts";
import { streamWeights } from "./weight_stream.ts";

/** A checkpoint whose weights have LoRAs in them. */
export interface Fused {
  readonly checkpoint: Checkpoint;
  /** What `discard` removes. */
  readonly folder: string;
  /** Removes the file of fused weights, once no session maps it. */
  discard(): Promise<void>;
}

/**
 * Fuses LoRAs into a checkpoint. Some megabytes of it are in memory at a time; the file, in the system's temporary folder, has
 * the size of the changed weights in float32.
 */
export async function fuse(checkpoint: Checkpoint, loras: readonly LoadedLora[]): Promise<Fused> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-fused-" });
  const discard = () => Deno.remove(folder, { recursive: true });
  const arithmetic = new WeightArithmetic();
  try {
    const fused = async <P extends { readonly weights: Weights }>(part: P, name: LoraPart): Promise<P> => {
      const changes = changesOf(part.weights, name, loras);
      if (changes.size === 0) return part;
      const path = join(folder, `${name}.safetensors`);
      await writeFused(path, changes, arithmetic);
      return { ...part, weights: part.weights.replacedBy(await openSafetensors(await Deno.realPath(path))) };
    };
    return {
      checkpoint: {
        ...checkpoint,
        unet: await fused(checkpoint.unet, "unet"),
        textEncoder: await fused(checkpoint.textEncoder, "text_encoder"),
        textEncoder2: await fused(checkpoint.textEncoder2, "text_encoder_2"),
      },
      folder,
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  } finally {
    await arithmetic.release();
  }
}

async function writeFused(
  path: string,
  changes: ReadonlyMap<string, Change>,
  arithmetic: WeightArithmetic,
): Promise<void> {
  const planned = [...changes].map(([name, { ref }]): PlannedTensor => ({ name, dtype: "F32", shape: shapeOf(ref) }));
  const jobs = [...changes.values()].map((change) => ({ ...change, to: "fp32" as const }));
  // It is read again at once, and gone with this process: it may stay in memory, and need not be on the disk.
  await streamPieces(path, planned, streamWeights(jobs, arithmetic, PassingFile.open), undefined, { lasting: false });
}
