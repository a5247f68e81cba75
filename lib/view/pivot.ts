/** Many results at once: any two axes as numbers or pictures, a part for each value of a third, and what stands out. */

import { type Compared, type ComparedCell, type Label, labelOf } from "./arrange.ts";
import { Figure } from "./figure.ts";
import { grid } from "./grid.ts";
import { decimalsFor, formatNumber } from "./number.ts";
import { oneLine } from "./places.ts";
import { type Raster, rasters } from "./raster.ts";
import { type Row, Table } from "./table_export.ts";

/** A cell's number: the name of one of its fields, or a function. Cells without it are left out. */
export type Measured<Cell extends ComparedCell> =
  | NumberField<Cell>
  | ((cell: Cell) => number | null | undefined);

/** The fields of a cell that hold a number, or may lack it. */
export type NumberField<Cell> = {
  [Key in keyof Cell & string]: NonNullable<Cell[Key]> extends number ? Key : never;
}[keyof Cell & string];

/** Which axes a pivot has, and what stands in it. */
export interface PivotOptions<Cell extends ComparedCell> {
  /** What tells the rows apart. Default model. */
  readonly rows?: Label | readonly Label[];
  /** What tells the columns apart. Default steps. */
  readonly columns?: Label | readonly Label[];
  /** What is told of the cells that share a place. */
  readonly value: Measured<Cell>;
  /** How it is told. Default "median". */
  readonly statistic?: "median" | "mean" | "least" | "most" | "count";
}

/**
 * A number by any two axes: `pivot(runs, { rows: "model", columns: "steps", value: "promptScore" })`.
 *
 * @throws RangeError where no cell has the number
 */
export function pivot<Cell extends ComparedCell>(runs: Compared<Cell>, options: PivotOptions<Cell>): Table {
  const { rows = "model", columns = "steps", value, statistic = "median" } = options;
  const found = measured(runs.cells, value);
  const title = (cell: Cell, names: Label | readonly Label[]) => oneLine(named(cell, names));
  const across = [...new Set(found.map(({ cell }) => title(cell, columns)))];
  const lines = Map.groupBy(found, ({ cell }) => title(cell, rows));
  const head = listOf(rows).join(", ");
  return new Table(
    [...lines].map(([name, line]): Row => {
      const places = Map.groupBy(line, ({ cell }) => title(cell, columns));
      const numbers = across.map((column) => statisticOf(places.get(column) ?? [], statistic));
      return { [head]: name, ...Object.fromEntries(across.map((column, index) => [column, numbers[index]])) };
    }),
    {
      columns: [head, ...across],
      caption: `${statistic} of ${nameOf(value)}`,
      provenance: () => runs.provenance?.(),
    },
  );
}

/** The results in parts, one for each value of an axis, in the order in which they come. Each part is seen like the whole. */
export function facets<Cell extends ComparedCell>(
  runs: Compared<Cell>,
  by: Label | readonly Label[],
): readonly (Compared<Cell> & { readonly title: string })[] {
  const made = runs.provenance?.bind(runs);
  return [...Map.groupBy(runs.cells, (cell) => named(cell, by))].map(([title, cells]) => ({
    title,
    cells,
    picture: (cell: Cell) => runs.picture(cell),
    ...(made && { provenance: made }),
  }));
}

/** Which pictures stand out, and how many are shown. */
export interface ExtremesOptions<Cell extends ComparedCell> {
  /** The number that they are sorted by. */
  readonly by: Measured<Cell>;
  /** Default "highest", as of scores; "lowest" as of distances and seconds. */
  readonly best?: "highest" | "lowest";
  /** Pictures of each. Default 5. */
  readonly count?: number;
}

/**
 * The best and the worst pictures by a number, with it underneath.
 *
 * @throws RangeError where no cell has the number
 */
export function extremes<Cell extends ComparedCell>(
  runs: Compared<Cell>,
  { by, best = "highest", count = 5 }: ExtremesOptions<Cell>,
): Figure {
  const sign = best === "highest" ? -1 : 1;
  const sorted = measured(runs.cells, by).toSorted((a, b) => sign * (a.number - b.number));
  const rows = [sorted.slice(0, count), sorted.slice(-count).toReversed()];
  return new Figure(async () => {
    const pictures = [];
    for (const row of rows) pictures.push(await Promise.all(row.map(({ cell }) => runs.picture(cell))));
    return await grid(pictures, {
      rows: rows.map((row, index) =>
        `${["best", "worst"][index]}\n${told(row[0].number)} to ${told(row[row.length - 1].number)}`
      ),
      captions: rows.map((row) => row.map(({ cell, number }) => `${told(number)} · ${whose(cell)}`)),
      heading: `Best and worst of ${sorted.length} pictures by ${nameOf(by)}`,
      cell: 128,
    }).drawing();
  }, { provenance: () => runs.provenance?.() });
}

/** Whose pictures are held against each other. */
export interface DisagreementOptions {
  /** What tells the pictures apart that are held against each other: one of each. Default model and steps. */
  readonly between?: Label | readonly Label[];
  /** Rows that are shown. Default 5. */
  readonly count?: number;
}

/**
 * The prompts and seeds of which models make the most different pictures: a row each, the most different first. How far
 * apart is the root mean square difference of colours (0 to 1) over all pairs of the row.
 *
 * @throws RangeError where no prompt and seed has two pictures
 */
export function disagreement<Cell extends ComparedCell>(
  runs: Compared<Cell>,
  { between = ["model", "steps"], count = 5 }: DisagreementOptions = {},
): Figure {
  const groups = [...Map.groupBy(runs.cells, (cell) => JSON.stringify([cell.prompt, cell.seed])).values()];
  const firsts = groups.map((cells) =>
    [...new Map(cells.toReversed().map((cell) => [named(cell, between), cell])).values()].toReversed()
  );
  const sharing = firsts.filter((cells) => cells.length > 1);
  const left = runs.cells.length - firsts.flat().length;
  if (sharing.length === 0) {
    throw new RangeError(
      `Cannot show where ${listOf(between).join(" and ")} disagree: no prompt and seed has pictures of two.`,
    );
  }
  return new Figure(async () => {
    const apart: { readonly cells: readonly Cell[]; readonly distance: number }[] = [];
    for (const cells of sharing) { // one row at a time: a sweep's pictures together need not fit into memory
      const drawn = await Promise.all(cells.map(async (cell) => rasters(await runs.picture(cell))[0]));
      apart.push({ cells, distance: apartness(drawn) });
    }
    const shown = apart.toSorted((a, b) => b.distance - a.distance).slice(0, count);
    const columns = [...new Set(shown.flatMap(({ cells }) => cells.map((cell) => named(cell, between))))];
    const placed = shown.map(({ cells }) =>
      columns.map((column) => cells.find((cell) => named(cell, between) === column))
    );
    const pictures = [];
    for (const row of placed) pictures.push(await Promise.all(row.map((cell) => cell && runs.picture(cell))));
    return await grid(pictures, {
      rows: shown.map(({ cells: [cell], distance }) =>
        `${named(cell, ["prompt", "seed"], ", ")}\napart ${told(distance)}`
      ),
      columns,
      heading: `Where pictures differ the most by ${listOf(between).join(" and ")}`,
      notes: [
        `Of ${sharing.length} prompts and seeds. Apart: root mean square difference of colours (0 to 1) over all pairs.`,
        ...left === 0 ? [] : [`Of each only the first picture is looked at: ${left} more are left out.`],
      ],
      cell: 128,
    }).drawing();
  }, { provenance: () => runs.provenance?.() });
}

/** Root mean square difference over all pairs of one size; pictures of other sizes are not compared. */
function apartness(drawn: readonly Raster[]): number {
  let [squares, values] = [0, 0];
  for (const [index, a] of drawn.entries()) {
    for (const b of drawn.slice(index + 1)) {
      if (a.width !== b.width || a.height !== b.height) continue;
      for (let at = 0; at < a.data.length; at++) squares += ((a.data[at] - b.data[at]) / 255) ** 2;
      values += a.data.length;
    }
  }
  return values === 0 ? 0 : Math.sqrt(squares / values);
}

interface MeasuredCell<Cell> {
  readonly cell: Cell;
  readonly number: number;
}

function measured<Cell extends ComparedCell>(cells: readonly Cell[], by: Measured<Cell>): MeasuredCell<Cell>[] {
  const of = typeof by === "function" ? by : (cell: Cell): unknown => cell[by];
  const found = cells.flatMap((cell) => {
    const number = of(cell);
    return typeof number === "number" && !Number.isNaN(number) ? [{ cell, number }] : [];
  });
  if (found.length > 0) return found;
  throw new RangeError(`Cannot tell ${nameOf(by)}: none of ${cells.length} cells has it. Was it measured?`);
}

function statisticOf<Cell>(
  found: readonly MeasuredCell<Cell>[],
  statistic: NonNullable<PivotOptions<ComparedCell>["statistic"]>,
): number | null {
  const numbers = found.map(({ number }) => number).toSorted((a, b) => a - b);
  if (statistic === "count") return numbers.length;
  if (numbers.length === 0) return null;
  const middle = (numbers.length - 1) / 2;
  switch (statistic) {
    case "median":
      return (numbers[Math.floor(middle)] + numbers[Math.ceil(middle)]) / 2;
    case "mean":
      return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    case "least":
      return numbers[0];
    case "most":
      return numbers[numbers.length - 1];
  }
}

/** "PSNR", "latent distance": a field's name in words. */
function nameOf<Cell extends ComparedCell>(by: Measured<Cell>): string {
  if (typeof by === "function") return by.name || "a number";
  return /^(psnr|ssim)$/.test(by) ? by.toUpperCase() : by.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

const told = (number: number) => formatNumber(number, decimalsFor(number, 3));

const listOf = (names: Label | readonly Label[]) => typeof names === "string" ? [names] : names;

function named(cell: ComparedCell, names: Label | readonly Label[], between = "\n"): string {
  return labelOf(cell, listOf(names), between);
}

const whose = (cell: ComparedCell) =>
  [named(cell, "seed"), named(cell, ["model", "steps"], ", "), named(cell, "prompt")].join("\n");
