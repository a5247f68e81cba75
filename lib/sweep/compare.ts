/** Models compared on time, memory and quality, cell by cell, from where the last run stopped. */

import { stopSignal } from "../model/stop.ts";
import { progress } from "../view/progress.ts";
import type { Result } from "./cell.ts";
import { conclude } from "./conclude.ts";
import { Estimate } from "./estimate.ts";
import type { CompareOptions } from "./options.ts";
import { type Plan, planComparison, type PlannedCell } from "./plan.ts";
import { runCells } from "./run.ts";
import type { Runs } from "./runs.ts";
import { Store } from "./store.ts";

/** What is compared, and where its results are kept. */
export interface ComparisonOptions extends CompareOptions {
  /** The store's folder. Default "runs". What it holds is not run again. */
  readonly store?: string;
  /** Ends the comparison between two denoising steps; finished cells stay stored. Default: a notebook's Stop button. */
  readonly signal?: AbortSignal;
  /** Told what a user should know, a sentence each. Default `console.warn`. */
  readonly warn?: (message: string) => void;
  /** Told how far it is. Default: a bar in a cell or a terminal. */
  readonly onProgress?: (state: ComparisonProgress) => void | Promise<void>;
}

/** How far a comparison is. */
export interface ComparisonProgress {
  /** Cells that are stored, of all that the plan has. */
  readonly done: number;
  /** Cells of the plan. */
  readonly total: number;
  /** The cell that runs, and the step that it finished last; none while quality is measured. */
  readonly cell?: PlannedCell;
  /** 0 before the first. */
  readonly step: number;
  /** Seconds that are left, from what was measured; `sure` unless a model is left that was never measured. */
  readonly remaining?: { readonly seconds: number; readonly sure: boolean };
}

/** Where results are kept unless a comparison says otherwise. */
export const DEFAULT_STORE = "runs";

/**
 * Compares models on prompts and seeds. Finished cells are stored at once, keyed by what they are made of: a comparison
 * that was stopped goes on where it was, a changed one runs only what is new, and two that share cells share the work.
 *
 * ```ts
 * import { compare } from "fewstep";
 *
 * const base = "models/pocket/base";
 * const runs = await compare({
 *   models: [
 *     { name: "base", model: base },
 *     { name: "Lightning", model: base, unet: "models/pocket/lightning_4step_unet.safetensors" },
 *   ],
 *   prompts: ["sunflower, meadow"],
 *   seeds: [7],
 * });
 * console.log((await runs.frame()).toString());
 * ```
 *
 * @throws an error whose message is one sentence: what cannot be planned, stored or run
 */
export async function compare(options: ComparisonOptions): Promise<Runs> {
  const { store: folder = DEFAULT_STORE, warn = console.warn, signal = stopSignal() } = options;
  using store = await Store.open(folder);
  const plan = await planComparison(options, { digest: (path) => store.digest(path), warn });
  for (const sentence of plan.omitted) warn(sentence);
  const results = await runMissing(plan, store, { ...options, signal });
  signal?.throwIfAborted();
  return await conclude(plan, results, { store, signal });
}

/** Runs what the store does not have, and returns everything by key. */
async function runMissing(plan: Plan, store: Store, options: ComparisonOptions): Promise<ReadonlyMap<string, Result>> {
  const { signal, warn } = options;
  const { records } = plan.measure;
  const results = new Map(await store.finished(plan.cells.map(({ key }) => key), { records }));
  const missing = plan.cells.filter(({ key }) => !results.has(key));
  if (missing.length === 0) return results;
  const estimate = new Estimate();
  for (const cell of plan.cells) {
    const result = results.get(cell.key);
    if (result) estimate.observe(cell, result);
  }
  const total = plan.cells.length;
  const bar = options.onProgress
    ? undefined
    : await progress({ label: "comparing", total, done: total - missing.length });
  try {
    const left = () => plan.cells.filter(({ key }) => !results.has(key));
    const report = async (cell: PlannedCell, step: number, finished: boolean) => {
      const pending = left();
      const remaining = estimate.remaining(pending, finished ? 0 : step / cell.content.timesteps.length);
      const state = { done: total - pending.length, total, cell, step, remaining };
      await options.onProgress?.(state);
      await bar?.update({
        label: `${cell.labels.model}, ${cell.labels.recipe}`,
        done: state.done,
        remaining: remaining && { milliseconds: 1000 * remaining.seconds, sure: remaining.sure },
      });
    };
    const onStep = (cell: PlannedCell, step: { readonly index: number } | undefined) =>
      report(cell, step?.index ?? 0, false);
    for await (const { cell, result } of runCells(plan, missing, { store, signal, warn, onStep })) {
      results.set(cell.key, result);
      estimate.observe(cell, result);
      await report(cell, cell.content.timesteps.length, true);
    }
  } finally {
    await bar?.end();
  }
  return results;
}
