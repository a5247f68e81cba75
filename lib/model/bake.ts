/**
 * A model as files that other tools read: its LoRAs fused, its layout and number type chosen. Streamed piece by piece:
 * it takes little memory, and about as long as copying the bytes.
 */

import { basename, dirname, join, resolve } from "node:path";
import { kindOf, makeFolder, rename, syncFolder, unwritable, writeWhole } from "../weights/files.ts";
import { type PlannedTensor, streamPieces } from "../weights/safetensors.ts";
import type { Weights } from "../weights/weights.ts";
import { folderFiles } from "./bake_folder.ts";
import { type BakedFile, bakedFiles, type BakeDType, type BakeLayout, type Row, shapeOfRow } from "./bake_layout.ts";
import { changesOf } from "./lora_sum.ts";
import type { Model } from "./model.ts";
import { PassingFile } from "./sessions/pages.ts";
import { WeightArithmetic } from "./sessions/weight_arithmetic.ts";
import { streamWeights, type WeightJob } from "./weight_stream.ts";

export { BAKE_DTYPES, BAKE_LAYOUTS, type BakeDType, type BakeLayout } from "./bake_layout.ts";

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
  const arithmetic = new WeightArithmetic();
  try {
    const write = weightsWriter(model, arithmetic, { ...options, dtype }, files);
    if (layout !== "folder") {
      for (const file of files) await write(path, file);
      return;
    }
    const texts = await folderFiles(model.checkpoint, dtype);
    await wholeFolder(path, async (folder) => {
      for (const { name, content } of texts) {
        await makeFolder(dirname(join(folder, name)));
        await writeWhole(join(folder, name), content);
      }
      for (const file of files) {
        await makeFolder(dirname(join(folder, file.name)));
        await write(join(folder, file.name), file);
      }
    });
  } finally {
    await arithmetic.release();
  }
}

/** What writes one file of weights, and counts on from file to file. */
function weightsWriter(
  { checkpoint: { unet, vae, textEncoder, textEncoder2 }, branches }: Model,
  arithmetic: WeightArithmetic,
  { dtype, onProgress, signal }: BakeOptions & { readonly dtype: BakeDType },
  files: readonly BakedFile[],
): (path: string, file: BakedFile) => Promise<void> {
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

  function* jobsOf(rows: readonly Row[]): Generator<WeightJob> {
    for (const { part, keys, how } of rows) {
      for (const [i, key] of keys.entries()) {
        const ref = weights[part].ref(key);
        if (ref === undefined) throw new RangeError(`Cannot bake the ${part}: the model has no "${key}".`);
        const { modules } = changes[part].get(key) ?? { modules: [] };
        const done = i === keys.length - 1 ? () => onProgress?.(++written, total) : undefined;
        yield { ref, modules, to: dtype, done, ...(how === "transpose" && { turned: "transposed" }) };
      }
    }
  }

  async function* stoppable(pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      signal?.throwIfAborted();
      yield piece;
    }
  }

  return async (path, { rows, metadata = [] }) => {
    const planned = rows.map((row): PlannedTensor => ({
      name: row.name,
      dtype: stored,
      shape: shapeOfRow(row, weights[row.part]),
    }));
    const pieces = stoppable(streamWeights(jobsOf(rows), arithmetic, PassingFile.open));
    await streamPieces(path, planned, pieces, new Map([["format", "pt"], ...metadata]), {
      passing: PassingFile.open,
    });
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
    await makeFolder(temporary);
    await fill(temporary);
    await syncFolder(temporary);
    await rename(temporary, target).catch((error) => {
      throw unwritable(path, error);
    });
  } catch (error) {
    if (await kindOf(temporary) !== "nothing") await Deno.remove(temporary, { recursive: true });
    throw error;
  }
}
