/**
 * A model as files that other tools read: its LoRAs fused, its layout and number type chosen. Streamed tensor by
 * tensor, so the memory that it takes is a few times its largest tensor.
 */

import { basename, dirname, join, resolve } from "node:path";
import { kindOf } from "../weights/files.ts";
import { type PlannedTensor, readBytesOf, streamSafetensors } from "../weights/safetensors.ts";
import type { Weights } from "../weights/weights.ts";
import { type BakeDType, encoded, joined, transposed } from "./bake_bytes.ts";
import { folderFiles } from "./bake_folder.ts";
import { type BakedFile, bakedFiles, type BakeLayout, type Row, shapeOfRow } from "./bake_layout.ts";
import { changesOf, fusedWeight, sumNetwork } from "./lora_sum.ts";
import type { Model } from "./model.ts";
import type { Session } from "./sessions/session.ts";

export { BAKE_DTYPES, type BakeDType } from "./bake_bytes.ts";
export { BAKE_LAYOUTS, type BakeLayout } from "./bake_layout.ts";

/** How a model is written. */
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

/**
 * Writes a model with its LoRAs at the strengths that it was opened with: to a .safetensors file, or to a new folder.
 *
 * @throws RangeError when a value is too large for half floats, or the layout has no name for a tensor; an error when
 *   a folder is to be written where something is
 */
export async function bake(model: Model, path: string, options: BakeOptions = {}): Promise<void> {
  const { layout = "file", dtype = "fp16" } = options;
  const files = bakedFiles(model.checkpoint, layout);
  const session = await model.runtime.load(sumNetwork(model.runtime));
  try {
    const write = weightsWriter(model, session, { ...options, dtype }, files);
    if (layout !== "folder") {
      for (const { rows } of files) await write(path, rows);
      return;
    }
    const texts = await folderFiles(model.checkpoint, dtype);
    await wholeFolder(path, async (folder) => {
      for (const { name, content } of texts) {
        await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
        await Deno.writeFile(join(folder, name), content);
      }
      for (const { name, rows } of files) {
        await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
        await write(join(folder, name), rows);
      }
    });
  } finally {
    await session.release();
  }
}

/** What writes one file of weights, and counts on from file to file. */
function weightsWriter(
  { checkpoint: { unet, vae, textEncoder, textEncoder2 }, branches }: Model,
  session: Session,
  { dtype, onProgress, signal }: BakeOptions & { readonly dtype: BakeDType },
  files: readonly BakedFile[],
): (path: string, rows: readonly Row[]) => Promise<void> {
  const weights: Readonly<Record<Row["part"], Weights>> = {
    unet: unet.weights,
    vae: vae.weights,
    text_encoder: textEncoder.weights,
    text_encoder_2: textEncoder2.weights,
  };
  const changes = {
    unet: changesOf(unet.weights, "unet", branches),
    vae: new Map(),
    text_encoder: changesOf(textEncoder.weights, "text_encoder", branches),
    text_encoder_2: changesOf(textEncoder2.weights, "text_encoder_2", branches),
  };
  const stored = dtype === "fp16" ? "F16" : "F32";
  const total = files.reduce((sum, { rows }) => sum + rows.length, 0);
  let written = 0;

  const bytesOf = async ({ part, keys, how }: Row): Promise<Uint8Array> => {
    const blocks: Uint8Array[] = [];
    for (const key of keys) {
      const ref = weights[part].ref(key);
      if (ref === undefined) throw new RangeError(`Cannot bake the ${part}: the model has no "${key}".`);
      const change = changes[part].get(key);
      const asItLies = change === undefined && ref.dtype === stored &&
        (how === "transpose") === (ref.transposed ?? false);
      if (asItLies) {
        blocks.push(await readBytesOf(ref.file, ref));
        continue;
      }
      const weight = await fusedWeight(change ?? { ref, modules: [] }, session);
      blocks.push(encoded(how === "transpose" ? transposed(weight) : weight, dtype, key));
    }
    return joined(blocks);
  };

  return async (path, rows) => {
    const byName = new Map(rows.map((row) => [row.name, row]));
    const planned = rows.map((row): PlannedTensor => ({
      name: row.name,
      dtype: stored,
      shape: shapeOfRow(row, weights[row.part]),
    }));
    await streamSafetensors(path, planned, async ({ name }) => {
      signal?.throwIfAborted();
      const row = byName.get(name);
      if (row === undefined) throw new RangeError(`Cannot bake "${name}": it was not planned.`);
      const bytes = await bytesOf(row);
      onProgress?.(++written, total);
      return bytes;
    }, new Map([["format", "pt"]]));
  };
}

/** Makes a folder whole or not at all: under another name beside its place, then renamed. */
async function wholeFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const target = resolve(path);
  if (await kindOf(target) !== "nothing") {
    throw new Deno.errors.AlreadyExists(`Cannot bake to ${path}: it is there already. Name a new folder.`);
  }
  if (await kindOf(dirname(target)) !== "folder") {
    throw new Deno.errors.NotFound(`Cannot write ${path}: the folder ${dirname(path)} does not exist.`);
  }
  const temporary = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.incomplete`);
  try {
    await Deno.mkdir(temporary);
    await fill(temporary);
    await Deno.rename(temporary, target);
  } catch (error) {
    if (await kindOf(temporary) !== "nothing") await Deno.remove(temporary, { recursive: true });
    throw error;
  }
}
