/** A comparison's results. */

import type { DataFrame } from "nodejs-polars";
import type { Tensor } from "../tensor/tensor.ts";
import type { Cell } from "./cell.ts";
import type { Plan } from "./plan.ts";
import type { Summary } from "./summary.ts";

/** What `compare` gives. */
export interface Runs {
  readonly plan: Plan;
  /** The store's folder, as it was named. */
  readonly store: string;
  /** One a cell of the plan, in its order: `runs.cells[i]` is `runs.plan.cells[i]`, run. */
  readonly cells: readonly Cell[];
  /** One a model, recipe and number of steps, in the plan's order. */
  readonly summary: readonly Summary[];
  /** The cells as a Polars frame, one row each; columns as `COLUMNS` says. */
  frame(): Promise<DataFrame>;
  /** A cell's picture, `[1, 3, height, width]` in 0..1. */
  picture(cell: Cell): Promise<Tensor>;
  /** A cell's last latent, `[1, 4, height/8, width/8]`. */
  latent(cell: Cell): Promise<Tensor>;
}
