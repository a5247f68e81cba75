/** Runs the cells of a plan, one after the other, and stores each as soon as it is finished. */

import type { RunOptions } from "../model/request.ts";
import type { Step } from "../model/step.ts";
import type { Result } from "./cell.ts";
import { openMaker } from "./maker.ts";
import type { Plan, PlannedCell } from "./plan.ts";
import type { Store } from "./store.ts";
import { byModel, taskOf } from "./task.ts";

export interface RunCellsOptions extends RunOptions {
  readonly store: Store;
  /** Told before a cell begins, and after each of its steps. */
  readonly onStep?: (cell: PlannedCell, step: Step | undefined) => void | Promise<void>;
  readonly warn?: (message: string) => void;
}

export interface FinishedCell {
  readonly cell: PlannedCell;
  readonly result: Result;
}

/**
 * Runs these cells of a plan: each model is opened once, used for all its cells, and closed before the next. Cells of
 * equal key run once; what is yielded is stored.
 *
 * @throws Error that names the cell, when one cannot be run; the reason of `signal` when it was aborted. What was
 * finished stays stored in either case.
 */
export async function* runCells(
  plan: Plan,
  cells: readonly PlannedCell[],
  { store, signal, onStep, warn }: RunCellsOptions,
): AsyncGenerator<FinishedCell, void, void> {
  const unique = [...new Map(cells.map((cell) => [cell.key, cell])).values()];
  for (const group of byModel(plan, unique)) {
    signal?.throwIfAborted();
    const { options: model } = plan.models[group[0].modelIndex];
    await using maker = await openMaker({ model, measure: plan.measure }, { warn });
    for (const cell of group) {
      await onStep?.(cell, undefined);
      const made = await maker.make(taskOf(cell), { signal, onStep: (step) => onStep?.(cell, step) });
      yield { cell, result: await store.put(cell.key, cell.content, made) };
    }
  }
}
