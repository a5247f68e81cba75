/**
 * A model as a file that other tools read: its LoRAs fused, its layout and number type chosen. Streamed tensor by
 * tensor, so the memory that it takes is a few times its largest tensor.
 */

import type { Tensor } from "../tensor/tensor.ts";
import {
  originalTextEncoder,
  originalTextEncoder2,
  originalUnet,
  originalVae,
  type Stored,
} from "../weights/keys/original_names.ts";
import type { LoraPart } from "../weights/lora.ts";
import { type PlannedTensor, streamSafetensors } from "../weights/safetensors.ts";
import type { Weights } from "../weights/weights.ts";
import { changesOf, fusedWeight, sumNetwork } from "./lora_sum.ts";
import type { Model } from "./model.ts";

/** "file": a whole checkpoint under the original names, as ComfyUI and A1111 read it; "unet": a U-Net under diffusers'. */
export const BAKE_LAYOUTS = ["file", "unet"] as const;
export type BakeLayout = typeof BAKE_LAYOUTS[number];

export const BAKE_DTYPES = ["fp16", "fp32"] as const;
export type BakeDType = typeof BAKE_DTYPES[number];

export interface BakeOptions {
  /** Default "file". */
  readonly layout?: BakeLayout;
  /** Default "fp16", as most checkpoints are published. */
  readonly dtype?: BakeDType;
  /** Told after each tensor: how many of how many are written. */
  readonly onProgress?: (written: number, total: number) => void;
  /** Ends the baking between two tensors; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** A tensor to write, and the network that its parts are in. */
interface Row extends Stored {
  readonly part: LoraPart | "vae";
}

/**
 * Writes a model to a .safetensors file, with its LoRAs at the strengths that it was opened with.
 *
 * @throws RangeError when a value is too large for half floats, or the layout has no name for a tensor
 */
export async function bake(model: Model, path: string, options: BakeOptions = {}): Promise<void> {
  const { layout = "file", dtype = "fp16", onProgress, signal } = options;
  const { checkpoint, runtime } = model;
  const { unet, vae, textEncoder, textEncoder2 } = checkpoint;
  const weights = {
    unet: unet.weights,
    vae: vae.weights,
    text_encoder: textEncoder.weights,
    text_encoder_2: textEncoder2.weights,
  };
  const keysOf = (of: Weights) => of.refs.map(({ key }) => key);
  const rowsOf = (part: Row["part"], stored: readonly Stored[]) => stored.map((row): Row => ({ ...row, part }));
  const rows = layout === "unet" ? rowsOf("unet", keysOf(unet.weights).map((key) => ({ name: key, keys: [key] }))) : [
    ...rowsOf("unet", originalUnet(keysOf(unet.weights), unet.architecture)),
    ...rowsOf("vae", originalVae(keysOf(vae.weights), vae.architecture)),
    ...rowsOf("text_encoder", originalTextEncoder(keysOf(textEncoder.weights))),
    ...rowsOf("text_encoder_2", originalTextEncoder2(keysOf(textEncoder2.weights))),
  ];
  const changes = {
    unet: changesOf(unet.weights, "unet", model.branches),
    vae: new Map(),
    text_encoder: changesOf(textEncoder.weights, "text_encoder", model.branches),
    text_encoder_2: changesOf(textEncoder2.weights, "text_encoder_2", model.branches),
  };
  const shapeFor = ({ part, keys, how }: Row): readonly number[] => {
    const [first, ...inner] = keys.map((key) => weights[part].shape(key) ?? [])[0];
    const shape = [first * keys.length, ...inner];
    return how === "transpose" ? shape.toReversed() : how === "unsqueeze" ? [...shape, 1, 1] : shape;
  };
  const byName = new Map(rows.map((row) => [row.name, row]));
  const planned = rows.map((row): PlannedTensor => ({
    name: row.name,
    dtype: dtype === "fp16" ? "F16" : "F32",
    shape: shapeFor(row),
  }));
  const session = await runtime.load(sumNetwork(runtime));
  let written = 0;
  try {
    await streamSafetensors(path, planned, async ({ name }) => {
      signal?.throwIfAborted();
      const row = byName.get(name);
      if (row === undefined) throw new RangeError(`Cannot bake "${name}": it was not planned.`);
      const blocks: Uint8Array[] = [];
      for (const key of row.keys) {
        const ref = weights[row.part].ref(key);
        if (ref === undefined) throw new RangeError(`Cannot bake "${name}": the model has no "${key}".`);
        const change = changes[row.part].get(key) ?? { ref, modules: [] };
        const weight = await fusedWeight(change, session);
        blocks.push(bytesOf(row.how === "transpose" ? transposed(weight) : weight, dtype, key));
      }
      onProgress?.(++written, planned.length);
      return joined(blocks);
    }, new Map([["format", "pt"]]));
  } finally {
    await session.release();
  }
}

function bytesOf({ data }: Tensor, dtype: BakeDType, key: string): Uint8Array {
  if (dtype === "fp32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const half = new Float16Array(data);
  const lost = half.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(data[i]));
  if (lost >= 0) {
    throw new RangeError(
      `Cannot bake "${key}" as fp16: ${data[lost]} at index ${lost} is beyond half floats' 65504. Bake as fp32.`,
    );
  }
  return new Uint8Array(half.buffer);
}

function transposed(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape;
  return tensor.map((_, i) => tensor.data[(i % rows) * columns + Math.floor(i / rows)]).reshape([columns, rows]);
}

function joined(blocks: readonly Uint8Array[]): Uint8Array {
  if (blocks.length === 1) return blocks[0];
  const bytes = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const block of blocks) {
    bytes.set(block, offset);
    offset += block.length;
  }
  return bytes;
}
