/** A comparison's results. */

import type { Tensor } from "../tensor/tensor.ts";
import type { Provenance } from "../model/provenance.ts";
import { openSafetensors, readTensor } from "../weights/safetensors.ts";
import { readPicture } from "../view/picture.ts";
import type { Frame } from "../view/table_export.ts";
import { type Cell, CELL_METRICS, type Column, COLUMNS } from "./cell.ts";
import type { Plan } from "./plan.ts";
import { provenanceOfPlan } from "./provenance.ts";
import { rowsOf, summarise, type Summary } from "./summary.ts";

/** A cell that a sweep set aside. */
export interface FailedCell {
  /** What its result would be stored under. */
  readonly key: string;
  /** 'base by lightning-4step on "snow", seed 7' */
  readonly name: string;
  /** One sentence: why the last try failed. */
  readonly error: string;
  /** How often it was begun: three times, or fewer where its model could not be opened. */
  readonly tries: number;
}

export interface RunsFields {
  /** What was asked for, cell by cell. */
  readonly plan: Plan;
  readonly store: string;
  readonly cells: readonly Cell[];
  readonly summary: readonly Summary[];
  readonly failed?: readonly FailedCell[];
}

/** What `compare` and `sweep` give. */
export class Runs {
  /** What was asked for, cell by cell. */
  readonly plan: Plan;
  /** The store's folder, as it was named. */
  readonly store: string;
  /** One a cell of the plan, in its order: `runs.cells[i]` is `runs.plan.cells[i]`, run. */
  readonly cells: readonly Cell[];
  /** One a model, recipe and number of steps, in the plan's order. */
  readonly summary: readonly Summary[];
  /** What a sweep set aside after its tries, with the error: plan, cells and summary are without it. */
  readonly failed: readonly FailedCell[];

  /** Use `compare` or `sweep`. */
  constructor({ plan, store, cells, summary, failed = [] }: RunsFields) {
    this.plan = plan;
    this.store = store;
    this.cells = cells;
    this.summary = summary;
    this.failed = failed;
  }

  /**
   * The cells as a Polars frame, one row each; columns as `COLUMNS` says. Polars is loaded at the first call.
   */
  async frame(): Promise<Frame> {
    const { default: pl } = await import("nodejs-polars");
    const kinds = { text: pl.Utf8, whole: pl.Int32, real: pl.Float64, boolean: pl.Bool };
    const metrics: readonly string[] = CELL_METRICS;
    const measured = new Set<string>(this.cells.flatMap((cell) => Object.keys(cell)));
    const columns = columnNames.filter((name) => !metrics.includes(name) || measured.has(name));
    const data = Object.fromEntries(
      columns.map((name) => [name, this.cells.map((cell) => cell[fieldOf(name)] ?? null)]),
    );
    return pl.DataFrame(data, { schema: Object.fromEntries(columns.map((name) => [name, kinds[COLUMNS[name]]])) });
  }

  /**
   * A part of the results, for a figure of its own: it carries what made these cells, and no others. Rows that are kept
   * whole keep what was measured on them together; of others it is left out.
   *
   * @throws RangeError where no cell is left
   */
  only(wanted: (cell: Cell) => boolean): Runs {
    const kept = this.plan.cells.flatMap((planned, index) => {
      const cell = this.cells[index];
      return wanted(cell) ? [{ planned, cell }] : [];
    });
    if (kept.length === 0) throw new RangeError("Cannot take a part of a comparison: no cell is of that kind.");
    const used = [...new Set(kept.map(({ planned }) => planned.modelIndex))];
    const plan = {
      ...this.plan,
      models: used.map((index) => this.plan.models[index]),
      cells: kept.map(({ planned }) => ({ ...planned, modelIndex: used.indexOf(planned.modelIndex) })),
    };
    const cells = kept.map(({ cell }) => cell);
    const whole = new Map(rowsOf(this.cells).map((row, index) => [row[0].position, { row, of: this.summary[index] }]));
    const summary = rowsOf(cells).map((row) => {
      const before = whole.get(row[0].position);
      return before !== undefined && before.row.length === row.length ? before.of : summarise(row);
    });
    return new Runs({ plan, store: this.store, cells, summary });
  }

  /** What made the cells: figures and tables of them carry it. */
  provenance(): Promise<Provenance> {
    return Promise.resolve(provenanceOfPlan(this.plan, this.cells));
  }

  /** A cell's picture, `[1, 3, height, width]` in 0..1. */
  picture({ picture }: Cell): Promise<Tensor> {
    return readPicture(picture);
  }

  /** A cell's last latent, `[1, 4, height/8, width/8]`. */
  async latent({ latent }: Cell): Promise<Tensor> {
    return await readTensor(await openSafetensors(latent), "latent");
  }
}

function fieldOf(column: Column): keyof Cell {
  return column === "pixelWidth" ? "width" : column === "pixelHeight" ? "height" : column;
}

const columnNames = (Object.keys as <T extends object>(value: T) => (keyof T)[])(COLUMNS);
