/** Pictures in rows and columns, labelled on both sides. */

import type { Compared, ComparedCell } from "./arrange.ts";
import { wantCrop } from "./crop.ts";
import { Figure } from "./figure.ts";
import { fittedNote } from "./items.ts";
import {
  type ComparedGridOptions,
  type GridArguments,
  gridInWords,
  type GridOptions,
  type Items,
  lookAtPlaces,
  placesOf,
} from "./places.ts";
import { layOut, notFiniteNote } from "./sheet.ts";

export type { ComparedGridOptions, GridOptions } from "./places.ts";

/** Rows of steps or tensors; of a batch, the first picture is drawn. `undefined` leaves a place empty. */
export function grid(items: Items, options?: GridOptions): Figure;
/**
 * The results of a comparison: `grid(runs, { rows: "prompt", columns: ["model", "steps"] })`.
 * @throws RangeError when it has no cells
 */
export function grid<Cell extends ComparedCell>(runs: Compared<Cell>, options?: ComparedGridOptions): Figure;
export function grid<Cell extends ComparedCell>(...args: GridArguments<Cell>): Figure {
  const places = placesOf(args);
  const { crops = [], captions, notes = [] } = places;
  const cropsOf = typeof crops === "function" ? crops : () => crops;
  places.places.forEach((_, row) => cropsOf(row).forEach(wantCrop));
  return new Figure(async () => {
    const looked = await lookAtPlaces(places);
    const rows = looked.map((row, index) =>
      row.map((one, column) =>
        one && {
          raster: one.rasters[0],
          scaling: one.scaling,
          caption: captions?.[index]?.[column],
          crops: cropsOf(index),
        }
      )
    );
    return layOut({
      rows,
      rowTitles: places.rows,
      columnTitles: places.columns,
      heading: places.heading,
      notes: [...notes, ...fittedNote(looked.flat()), ...notFiniteNote(rows.flat())],
      cell: places.cell ?? 176,
      alt: gridInWords(places),
    });
  }, places);
}
