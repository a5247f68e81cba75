/** From finished cells to results: labels, quality, summary. */

import type { Cell, Result } from "./cell.ts";
import type { Plan } from "./plan.ts";
import { measureQuality } from "./quality.ts";
import { type FailedCell, Runs } from "./runs.ts";
import type { Store } from "./store.ts";
import { rowsOf, summarise } from "./summary.ts";

export interface ConcludeOptions {
  readonly store: Store;
  readonly signal?: AbortSignal;
  /** Cells that were set aside: the results are without them. Default none. */
  readonly failed?: readonly FailedCell[];
}

/** @throws Error for a cell of the plan that has neither a result nor failed */
export async function conclude(
  plan: Plan,
  results: ReadonlyMap<string, Result>,
  { store, signal, failed = [] }: ConcludeOptions,
): Promise<Runs> {
  const aside = new Set(failed.map(({ key }) => key));
  const planned = aside.size === 0 ? plan.cells : plan.cells.filter(({ key }) => !aside.has(key));
  const labelled = planned.map((cell): Cell => {
    const result = results.get(cell.key);
    if (result === undefined) throw new Error(`Cannot find cell ${cell.key} in the store, though it was run.`);
    return { key: cell.key, ...cell.labels, ...result };
  });
  const finished: Plan = { ...plan, cells: planned };
  const quality = await measureQuality(finished, labelled, { store, signal });
  const cells = labelled.map((cell, index): Cell => ({ ...cell, ...quality.cells[index] }));
  const summary = rowsOf(cells).map((row) => summarise(row, quality.ofSet(row)));
  return new Runs({ plan: finished, store: store.folder, cells, summary, failed });
}
