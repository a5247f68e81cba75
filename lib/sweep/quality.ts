/** The quality metrics of a comparison. */

import type { Cell, CellQuality } from "./cell.ts";
import type { Plan } from "./plan.ts";
import type { Store } from "./store.ts";
import type { SetQuality } from "./summary.ts";

export interface Quality {
  /** One a cell, in the plan's order. */
  readonly cells: readonly CellQuality[];
  /** What is measured on the pictures of a row together. */
  ofSet(cells: readonly Cell[]): Promise<SetQuality>;
}

export function measureQuality(
  _plan: Plan,
  cells: readonly Cell[],
  _options: { readonly store: Store; readonly signal?: AbortSignal },
): Promise<Quality> {
  return Promise.resolve({ cells: cells.map(() => ({})), ofSet: () => Promise.resolve({}) });
}
