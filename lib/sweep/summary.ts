/** Cells of one model at one recipe and number of steps, summed up. */

import { type Cell, CELL_METRICS, type CellMetric } from "./cell.ts";
import { type Spread, spreadOf } from "../measure/spread.ts";

export type { Spread };

/** A number measured on a set of pictures, with its standard error where one can be told. */
export interface Estimated {
  /** The number. */
  readonly value: number;
  /** Standard error; null where there are too few pictures for one. */
  readonly error: number | null;
}

/** One row of the tables: a model at a recipe and number of steps, over all prompts and seeds. */
export interface Summary {
  /** Its name in the comparison. */
  readonly model: string;
  /** The recipe without its number of steps. */
  readonly family: string;
  /** The recipe that it ran by. */
  readonly recipe: string;
  /** Denoising steps. */
  readonly steps: number;
  /** The sampler that took them. */
  readonly sampler: string;
  /** The guidance scale; 0 ran the prompt alone. */
  readonly guidance: number;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Cells in all. */
  readonly cells: number;
  /**
   * Seconds over the cells that are warm; over all where none is, and then `warm` is false. `text` leaves out cells
   * whose texts were remembered, and is null where all were.
   */
  readonly warm: boolean;
  /** Of a picture, by part. */
  readonly seconds: {
    readonly text: Spread | null;
    readonly unet: Spread;
    readonly perStep: Spread;
    readonly vae: Spread;
    readonly total: Spread;
  };
  /** Bytes over all cells, the process included; `baseline` is the process before the model was loaded. */
  readonly memory: { readonly baseline: Spread; readonly resident: Spread; readonly peak: Spread };
  /** Of the metrics that were measured, each over the cells that have it. `retrieved`'s mean is the accuracy. */
  readonly quality: Readonly<Partial<Record<CellMetric, Spread>>>;
  /** Fréchet distance in CLIP's features to the real pictures, or to the reference's. */
  readonly frechet?: Estimated;
  /** Mean of 1 − cosine in CLIP's space between seeds of one prompt; its error over prompts. */
  readonly diversity?: Estimated;
}

/** What is measured on all pictures of a row together, by the positions of its cells. */
export interface SetQuality {
  readonly frechet?: Estimated;
  readonly diversity?: Estimated;
}

/** Cells that stand in one row of the tables: of one model entry's name, recipe, steps, sampler, guidance and size. */
export function rowsOf(cells: readonly Cell[]): readonly (readonly Cell[])[] {
  const rows = Map.groupBy(
    cells,
    ({ model, recipe, steps, sampler, guidance, width, height }) =>
      JSON.stringify([model, recipe, steps, sampler, guidance, width, height]),
  );
  return [...rows.values()];
}

/** Sums one row up. @throws RangeError for no cells */
export function summarise(cells: readonly Cell[], sets: SetQuality = {}): Summary {
  const [first] = cells;
  if (first === undefined) throw new RangeError("Cannot sum up no cells: at least one was wanted.");
  const warm = cells.filter(({ warm }) => warm);
  const timed = warm.length > 0 ? warm : cells;
  const of = (field: (cell: Cell) => number, from = timed) => spreadOf(from.map(field));
  const text = timed.flatMap(({ secondsText }) => secondsText ?? []);
  const quality: Partial<Record<CellMetric, Spread>> = {};
  for (const metric of CELL_METRICS) {
    const values = cells.flatMap((cell) => cell[metric] ?? []);
    if (values.length > 0) quality[metric] = spreadOf(values);
  }
  const { model, family, recipe, steps, sampler, guidance, width, height } = first;
  return {
    ...{ model, family, recipe, steps, sampler, guidance, width, height },
    cells: cells.length,
    warm: warm.length > 0,
    seconds: {
      text: text.length > 0 ? spreadOf(text) : null,
      unet: of(({ secondsUnet }) => secondsUnet),
      perStep: of(({ secondsPerStep }) => secondsPerStep),
      vae: of(({ secondsVae }) => secondsVae),
      total: of(({ secondsTotal }) => secondsTotal),
    },
    memory: {
      baseline: of(({ memoryBaseline }) => memoryBaseline, [...cells]),
      resident: of(({ memoryResident }) => memoryResident, [...cells]),
      peak: of(({ memoryPeak }) => memoryPeak, [...cells]),
    },
    quality,
    ...sets,
  };
}
