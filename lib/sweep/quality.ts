/** The quality metrics of a comparison, of single pictures and of the pictures of a row. Definitions: measure/quality/. */

import { extname } from "node:path";
import * as v from "valibot";
import {
  diversity,
  frechetDistance,
  perceptualDistance,
  promptScore,
  psnr,
  relativeL2,
  retrieves,
  ssim,
} from "../measure/quality/mod.ts";
import { Tensor } from "../tensor/tensor.ts";
import { openSafetensors, readTensor } from "../weights/safetensors.ts";
import { readPicture } from "../view/picture.ts";
import type { Cell, CellQuality } from "./cell.ts";
import { digestOf } from "./content.ts";
import { Features, picturesIn } from "./features.ts";
import type { Plan } from "./plan.ts";
import { type IsReference, noiseOf, referenceAmong } from "./reference.ts";
import { spreadOf } from "../measure/spread.ts";
import type { Store } from "./store.ts";
import type { Estimated, SetQuality } from "./summary.ts";

export interface Quality {
  /** One a cell, in the plan's order. */
  readonly cells: readonly CellQuality[];
  /** What is measured on the pictures of a row together. */
  ofSet(cells: readonly Cell[]): SetQuality;
}

export interface QualityHooks {
  readonly store: Store;
  readonly signal?: AbortSignal;
}

/** Of the metrics' definitions: results that the store remembers under another number are computed anew. */
const METRICS_VERSION = 1;

/** Measures what the plan asks for. What the store remembers is not computed again, and loads no network. */
export async function measureQuality(plan: Plan, cells: readonly Cell[], hooks: QualityHooks): Promise<Quality> {
  const { clip, reference, pictures, captions = [] } = plan.quality;
  const isReference = reference === undefined ? undefined : referenceAmong(cells, reference);
  const byNoise = new Map(isReference && cells.filter(isReference).map((cell) => [noiseOf(cell), cell]));
  const references = cells.map((cell) => isReference?.(cell) ? undefined : byNoise.get(noiseOf(cell)));

  const scores = clip === undefined ? undefined : await scored(clip, { cells, captions, pictures, isReference, hooks });
  const measured: CellQuality[] = [];
  for (const [index, cell] of cells.entries()) {
    const other = references[index];
    hooks.signal?.throwIfAborted();
    measured.push({
      ...scores?.ofCell(cell),
      ...(isReference && await differences(cell, other, hooks.store)),
      ...(isReference && scores && { perceptual: other ? scores.between(cell, other) : null }),
    });
  }
  return { cells: measured, ofSet: (row) => scores?.ofSet(row) ?? {} };
}

interface Scores {
  ofCell(cell: Cell): Pick<CellQuality, "promptScore" | "retrieved">;
  between(a: Cell, b: Cell): number;
  ofSet(cells: readonly Cell[]): SetQuality;
}

interface ScoredOptions {
  readonly cells: readonly Cell[];
  readonly captions: readonly string[];
  readonly pictures: string | undefined;
  readonly isReference: IsReference | undefined;
  readonly hooks: QualityHooks;
}

/** Everything that needs CLIP's features. */
async function scored(clip: string, { cells, captions, pictures, isReference, hooks }: ScoredOptions): Promise<Scores> {
  const { store } = hooks;
  await using features = await Features.open(clip, hooks);
  const { network } = features;
  const byPath = await features.ofPictures(cells.map(({ picture }) => picture));
  const names = [...new Set([...cells.map(({ prompt }) => prompt), ...captions])];
  const byText = await features.ofTexts(names);
  const real = pictures === undefined
    ? undefined
    : [...(await features.ofPictures(await picturesIn(pictures), (path) => store.digest(path))).values()];
  const texts = names.map((name) => find(byText, name));
  const of = ({ picture }: Cell) => find(byPath, picture);

  const target = real ? () => real : isReference && (() => cells.filter(isReference).map(of));
  const frechet = (row: readonly Cell[]): Estimated | undefined => {
    if (target === undefined || (real === undefined && isReference?.(row[0]))) return undefined;
    const others = target();
    if (row.length < 2 || others.length < 2) return undefined;
    const [a, b] = [row.map(of), others].map((list) => Tensor.stack(list.map(unit)));
    const key = `frechet ${METRICS_VERSION} ${network} ${digestOf(bytesOf(a))} ${digestOf(bytesOf(b))}`;
    return remembered(store, key, estimated, () => frechetDistance(a, b));
  };
  return {
    ofCell: (cell) => ({
      promptScore: promptScore(of(cell), find(byText, cell.prompt)),
      retrieved: retrieves(of(cell), texts, names.indexOf(cell.prompt)) ? 1 : 0,
    }),
    between: (a, b) => perceptualDistance(of(a), of(b)),
    ofSet(row) {
      const distance = frechet(row);
      const spread = diversityOf(row, of);
      return { ...(distance && { frechet: distance }), ...(spread && { diversity: spread }) };
    },
  };
}

/** The mean over prompts of the diversity of their seeds; nothing where no prompt has two. */
function diversityOf(row: readonly Cell[], of: (cell: Cell) => Tensor): Estimated | undefined {
  const prompts = Map.groupBy(row, ({ promptIndex }) => promptIndex);
  const values = [...prompts.values()].filter((seeds) => seeds.length > 1).map((seeds) => diversity(seeds.map(of)));
  if (values.length === 0) return undefined;
  const { mean, deviation, count } = spreadOf(values);
  return { value: mean, error: count > 1 ? deviation / Math.sqrt(count) : null };
}

/** JSON has no infinity: null stands for it, the PSNR of equal pictures. A picture below SSIM's window has none. */
const differenceSchema = v.object({
  latentDistance: v.number(),
  psnr: v.nullable(v.number()),
  ssim: v.nullable(v.number()),
});

type Differences = Pick<CellQuality, "latentDistance" | "psnr" | "ssim">;

/** To the reference's cell of the same noise; nulls for the reference itself, and where sizes differ. */
async function differences(cell: Cell, other: Cell | undefined, store: Store): Promise<Differences> {
  if (other === undefined || cell.width !== other.width || cell.height !== other.height) {
    return { latentDistance: null, psnr: null, ssim: null };
  }
  const files = [cell.latentDigest, other.latentDigest, digestOfName(cell.picture), digestOfName(other.picture)];
  const key = `difference ${METRICS_VERSION} ${files.join(" ")}`;
  const known = store.fact(key, differenceSchema);
  if (known) return { ...known, psnr: known.psnr ?? Infinity };
  const [a, b] = [await readPicture(cell.picture), await readPicture(other.picture)];
  const decibels = psnr(a, b);
  const found = {
    latentDistance: relativeL2(await latentOf(cell), await latentOf(other)),
    psnr: decibels,
    ssim: Math.min(cell.width, cell.height) < 11 ? null : ssim(a, b),
  };
  store.setFact(key, { ...found, psnr: Number.isFinite(decibels) ? decibels : null });
  return found;
}

async function latentOf({ latent }: Cell): Promise<Tensor> {
  return await readTensor(await openSafetensors(latent), "latent");
}

/** The store names files by the hash of what they hold. */
function digestOfName(path: string): string {
  return path.slice(-"0".repeat(64).length - extname(path).length, -extname(path).length);
}

const estimated = v.object({ value: v.number(), error: v.nullable(v.number()) });

function remembered<T>(store: Store, key: string, schema: v.GenericSchema<unknown, T>, compute: () => T): T {
  const known = store.fact(key, schema);
  if (known !== undefined) return known;
  const found = compute();
  store.setFact(key, found);
  return found;
}

/** The Fréchet distance is one of directions: lengths of CLIP's features mean nothing to its training. */
function unit(feature: Tensor): Tensor {
  const length = Math.sqrt(feature.data.reduce((sum, value) => sum + value * value, 0));
  return feature.times(1 / length);
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function find<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`Cannot find the features of "${key}", though they were computed.`);
  return value;
}
