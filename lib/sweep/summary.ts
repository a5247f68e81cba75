/** Cells of one model at one recipe and number of steps, summed up. */

import type { CellMetric } from "./cell.ts";

/** How values spread. The deviation is the sample's (n − 1), 0 for one value. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly deviation: number;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A number measured on a set of pictures, with its standard error where one can be told. */
export interface Estimated {
  readonly value: number;
  /** Standard error; null where there are too few pictures for one. */
  readonly error: number | null;
}

/** One row of the tables: a model at a recipe and number of steps, over all prompts and seeds. */
export interface Summary {
  readonly model: string;
  readonly family: string;
  readonly recipe: string;
  readonly steps: number;
  readonly sampler: string;
  readonly guidance: number;
  readonly width: number;
  readonly height: number;
  /** Cells in all. */
  readonly cells: number;
  /**
   * Seconds over the cells that are warm; over all where none is, and then `warm` is false. `text` leaves out cells
   * whose texts were remembered, and is null where all were.
   */
  readonly warm: boolean;
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
