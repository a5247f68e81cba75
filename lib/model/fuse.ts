/**
 * LoRAs fused: W + Σ strength·(alpha/rank)·up·down (Hu et al. 2021, arXiv 2106.09685, section 4.1), computed in float32
 * tensor by tensor and kept in a file of their own, from which the runtime maps them like any others.
 */

import { join } from "node:path";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { LoraPart } from "../weights/lora.ts";
import { openSafetensors, type PlannedTensor, streamSafetensors } from "../weights/safetensors.ts";
import { shapeOf, type Weights } from "../weights/weights.ts";
import { type Change, changesOf, fusedWeight, sumNetwork } from "./lora_sum.ts";
import type { LoadedLora } from "./loras.ts";
import type { Runtime, Session } from "./sessions/session.ts";

/** A checkpoint whose weights have LoRAs in them. */
export interface Fused {
  readonly checkpoint: Checkpoint;
  /** What `discard` removes. */
  readonly folder: string;
  /** Removes the file of fused weights, once no session maps it. */
  discard(): Promise<void>;
}

/**
 * Fuses LoRAs into a checkpoint. One tensor is in memory at a time; the file, in the system's temporary folder, has
 * the size of the changed weights in float32.
 */
export async function fuse(checkpoint: Checkpoint, loras: readonly LoadedLora[], runtime: Runtime): Promise<Fused> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-fused-" });
  const discard = () => Deno.remove(folder, { recursive: true });
  const session = await runtime.load(sumNetwork(runtime));
  try {
    const fused = async <P extends { readonly weights: Weights }>(part: P, name: LoraPart): Promise<P> => {
      const changes = changesOf(part.weights, name, loras);
      if (changes.size === 0) return part;
      const path = join(folder, `${name}.safetensors`);
      await writeFused(path, changes, session);
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
    await session.release();
  }
}

async function writeFused(path: string, changes: ReadonlyMap<string, Change>, session: Session): Promise<void> {
  const planned = [...changes].map(([name, { ref }]): PlannedTensor => ({ name, dtype: "F32", shape: shapeOf(ref) }));
  await streamSafetensors(path, planned, async ({ name }) => {
    const change = changes.get(name);
    if (change === undefined) throw new RangeError(`Cannot fuse "${name}": it is not among the changes.`);
    const { data } = await fusedWeight(change, session);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
}
