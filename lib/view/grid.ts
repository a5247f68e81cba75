/** Pictures in rows and columns, labelled on both sides. */

import { Figure } from "./figure.ts";
import { fittedNote, type Item, look, type Looked, type LookOptions } from "./items.ts";
import { layOut, notFiniteNote, type SheetCell } from "./sheet.ts";

export interface GridOptions extends LookOptions {
  /** Left of each row, a prompt for example: wrapped, as many lines as the pictures are high. */
  readonly rows?: readonly string[];
  /** Over each column. */
  readonly columns?: readonly string[];
  /** Under each picture, in rows as the pictures are. */
  readonly captions?: readonly (readonly (string | undefined)[])[];
  readonly heading?: string;
  /** Under the whole, a sentence each. */
  readonly notes?: readonly string[];
  /** CSS pixels of a picture's longer side. Default 176. */
  readonly cell?: number;
}

/** Rows of steps or tensors; of a batch, the first picture is drawn. `undefined` leaves a place empty. */
export function grid(items: readonly (readonly (Item | undefined)[])[], options: GridOptions = {}): Figure {
  const columns = Math.max(0, ...items.map((row) => row.length));
  if (columns === 0) throw new RangeError("Cannot draw a grid of nothing: at least one row of one picture was wanted.");
  if (options.rows !== undefined && options.rows.length !== items.length) {
    throw new RangeError(`Cannot label ${items.length} rows with ${options.rows.length} labels: one each was wanted.`);
  }
  if (options.columns !== undefined && options.columns.length !== columns) {
    throw new RangeError(`Cannot label ${columns} columns with ${options.columns.length} labels: one each was wanted.`);
  }
  return new Figure(async () => {
    const rows: (SheetCell | undefined)[][] = [];
    const all: (Looked | undefined)[] = [];
    for (const [index, row] of items.entries()) {
      const cells: (SheetCell | undefined)[] = [];
      for (const [column, item] of row.entries()) {
        const looked = item && await look(item, options);
        all.push(looked);
        const raster = looked?.rasters[0];
        cells.push(
          looked && raster && { raster, scaling: looked.scaling, caption: options.captions?.[index]?.[column] },
        );
      }
      rows.push(cells);
    }
    const sides = [
      options.rows && `rows: ${options.rows.join("; ")}`,
      options.columns && `columns: ${options.columns.join(", ")}`,
    ];
    const alt = [`${items.length} × ${columns} pictures`, ...sides.filter((side) => side !== undefined)].join("; ");
    return layOut({
      rows,
      rowTitles: options.rows,
      columnTitles: options.columns,
      heading: options.heading,
      notes: [...options.notes ?? [], ...fittedNote(all), ...notFiniteNote(rows.flat())],
      cell: options.cell ?? 176,
      alt: options.heading ? `${options.heading}. ${alt}` : alt,
    });
  });
}
