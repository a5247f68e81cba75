/** Many pictures on one sheet, small and numbered. */

import { Figure, type FigureOptions } from "./figure.ts";
import { fittedNote, type Item, look, type Looked, type LookOptions } from "./items.ts";
import { layOut, notFiniteNote, type SheetCell } from "./sheet.ts";

/** How many pictures are laid out on a sheet. */
export interface ContactSheetOptions extends LookOptions, FigureOptions {
  /** Under each picture; "\n" begins a new line. Default: its number, from 1. */
  readonly captions?: readonly (string | undefined)[];
  /** Over the whole. */
  readonly heading?: string;
  /** Under the whole, a sentence each. */
  readonly notes?: readonly string[];
  /** CSS pixels of a picture's longer side. Default 96. */
  readonly cell?: number;
  /** Pictures in a row. Default: as many as fit into 960 CSS pixels. */
  readonly columns?: number;
}

/** CSS pixels. */
const sheetWidth = 960;
const gutter = 8;

/** Every picture of every batch, from left to right and on in the next row. @throws RangeError for none */
export function contactSheet(items: readonly Item[], options: ContactSheetOptions = {}): Figure {
  if (items.length === 0) {
    throw new RangeError("Cannot draw a contact sheet of nothing: at least one step or tensor was wanted.");
  }
  const { captions, heading, notes = [], cell = 96 } = options;
  const { columns = Math.max(1, Math.floor((sheetWidth + gutter) / (cell + gutter))) } = options;
  return new Figure(async () => {
    const looked: Looked[] = [];
    for (const item of items) looked.push(await look(item, options));
    const cells = looked.flatMap(({ rasters, scaling }) => rasters.map((raster): SheetCell => ({ raster, scaling })))
      .map((cell, index) => ({ ...cell, caption: captions === undefined ? String(index + 1) : captions[index] }));
    const rows = Array.from(
      { length: Math.ceil(cells.length / columns) },
      (_, row) => cells.slice(row * columns, (row + 1) * columns),
    );
    const count = cells.length === 1 ? "a picture" : `${cells.length} pictures`;
    return layOut({
      rows,
      heading,
      notes: [...notes, ...fittedNote(looked), ...notFiniteNote(cells)],
      cell,
      alt: heading ? `${heading}: ${count}` : `A contact sheet of ${count}`,
    });
  }, options);
}
