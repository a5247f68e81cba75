/** Pictures side by side: a run's steps, or any tensors. */

import { Step } from "../model/step.ts";
import { Figure } from "./figure.ts";
import { fittedNote, type Item, look, type LookOptions, stepCaption, stepTitle } from "./items.ts";
import { layOut, notFiniteNote, type SheetCell } from "./sheet.ts";

/** What stands around a strip. */
export interface StripOptions extends LookOptions {
  /** Over each picture. Default: a step's number. */
  readonly titles?: readonly string[];
  /** Under each picture. Default: a step's sigma and timestep. */
  readonly captions?: readonly string[];
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a picture's longer side. Default: as large as fits into 960, within 72 and 192. */
  readonly cell?: number;
}

/** CSS pixels: what a notebook shows without shrinking it. */
const sheetWidth = 960;
const gutter = 8;

/**
 * Steps or tensors from left to right; a batch makes a row a picture. What does not fit into 960 CSS pixels goes on
 * in a next row.
 */
export function strip(items: readonly Item[], options: StripOptions = {}): Figure {
  if (items.length === 0) {
    throw new RangeError("Cannot draw a strip of nothing: at least one step or tensor was wanted.");
  }
  for (const [name, list] of [["titles", options.titles], ["captions", options.captions]] as const) {
    if (list !== undefined && list.length !== items.length) {
      throw new RangeError(`Cannot put ${list.length} ${name} on ${items.length} pictures: one each was wanted.`);
    }
  }
  return new Figure(async () => {
    const titles = options.titles ?? items.map((item) => item instanceof Step ? stepTitle(item) : undefined);
    const captions = options.captions ?? items.map((item) => item instanceof Step ? stepCaption(item) : undefined);
    const cell = options.cell ?? Math.min(192, Math.max(72, Math.floor(sheetWidth / items.length) - gutter));
    const perRow = Math.max(1, Math.floor((sheetWidth + gutter) / (cell + gutter)));

    const looked = [];
    for (const item of items) looked.push(await look(item, options)); // one after another: a decoder runs one at a time
    const batch = Math.max(...looked.map(({ rasters }) => rasters.length));

    const rows: (SheetCell | undefined)[][] = [];
    const cellTitles: (string | undefined)[][] = [];
    for (let from = 0; from < items.length; from += perRow) {
      const part = looked.slice(from, from + perRow);
      for (let picture = 0; picture < batch; picture++) {
        rows.push(part.map(({ rasters, scaling }, column) => {
          const raster = rasters[picture];
          const caption = picture === batch - 1 ? captions[from + column] : undefined;
          return raster && { raster, scaling, caption };
        }));
        cellTitles.push(picture === 0 ? titles.slice(from, from + perRow) : []);
      }
    }
    const alt = options.heading ?? describe(items, titles);
    const heading = options.heading;
    return layOut({
      rows,
      cellTitles,
      heading,
      cell,
      alt,
      notes: [...fittedNote(looked), ...notFiniteNote(rows.flat())],
    });
  });
}

function describe(items: readonly Item[], titles: readonly (string | undefined)[]): string {
  const named = titles.filter((title) => title !== undefined);
  const count = items.length === 1 ? "a picture" : `${items.length} pictures side by side`;
  return named.length === 0 ? count : `${count}: ${named.join(", ")}`;
}
