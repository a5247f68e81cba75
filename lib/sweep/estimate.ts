/**
 * How long the rest of a comparison will take, from what its cells took so far.
 *
 * A cell takes a + b·w seconds: w is the network's work, its runs times pixels (guidance runs it twice a step), b is its
 * model's own, a what text and VAE cost. A model's first cell takes its loading on top. A model that was not measured yet
 * is taken for the mean of those that were.
 */

import { usesGuidance } from "../diffusion/mod.ts";
import type { Result } from "./cell.ts";
import type { PlannedCell } from "./plan.ts";
import { sumOf } from "../measure/spread.ts";

/** Runs of the network times pixels. */
export function workOf({ content: { timesteps, guidance, width, height } }: Pick<PlannedCell, "content">): number {
  return timesteps.length * (usesGuidance(guidance) ? 2 : 1) * width * height;
}

/** Sums over the cells seen. */
interface Measured {
  /** Seconds of the U-Net, and its work. */
  readonly unet: number;
  readonly work: number;
  /** Seconds of everything else, of warm cells, and their number. */
  readonly rest: number;
  readonly warm: number;
  /** The same of first cells, with the loading in it. */
  readonly first: number;
  readonly cold: number;
}

const NOTHING: Measured = { unet: 0, work: 0, rest: 0, warm: 0, first: 0, cold: 0 };

type Seconds = Pick<Result, "secondsUnet" | "secondsTotal" | "warm">;

export interface Remaining {
  readonly seconds: number;
  /** Whether every model that is left was measured. Otherwise some are guessed from the others. */
  readonly sure: boolean;
}

export class Estimate {
  readonly #models = new Map<number, Measured>();
  #all: Measured = NOTHING;

  /** Takes a finished cell into account. */
  observe(cell: PlannedCell, result: Seconds): void {
    this.#models.set(cell.modelIndex, plus(this.#models.get(cell.modelIndex) ?? NOTHING, cell, result));
    this.#all = plus(this.#all, cell, result);
  }

  /**
   * Seconds for these cells; undefined before anything was measured.
   *
   * @param begun the share of the first of them that is done, 0 … 1
   */
  remaining(cells: readonly PlannedCell[], begun = 0): Remaining | undefined {
    if (this.#models.size === 0) return undefined;
    const all = this.#all;
    const strange = new Set<number>();
    const seconds = cells.map((cell, index) => {
      const own = this.#models.get(cell.modelIndex);
      const rest = own && own.warm > 0 ? mean(own.rest, own.warm) : mean(all.rest, all.warm);
      const loads = own === undefined && !strange.has(cell.modelIndex);
      if (loads) strange.add(cell.modelIndex);
      const others = loads ? Math.max(mean(all.first, all.cold), rest) : rest;
      const { unet, work } = own ?? all;
      return (unet / work * workOf(cell) + others) * (index === 0 ? 1 - begun : 1);
    });
    return { seconds: sumOf(seconds), sure: strange.size === 0 };
  }
}

function plus(sums: Measured, cell: PlannedCell, { secondsUnet, secondsTotal, warm }: Seconds): Measured {
  const others = secondsTotal - secondsUnet;
  return {
    unet: sums.unet + secondsUnet,
    work: sums.work + workOf(cell),
    rest: sums.rest + (warm ? others : 0),
    warm: sums.warm + (warm ? 1 : 0),
    first: sums.first + (warm ? 0 : others),
    cold: sums.cold + (warm ? 0 : 1),
  };
}

function mean(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}
