/** What grids are made of: places in rows and columns, from items or from a comparison's results. */

import { arrange, type ArrangeOptions, type Compared, type ComparedCell } from "./arrange.ts";
import type { Crop } from "./crop.ts";
import type { FigureOptions } from "./figure.ts";
import { type Item, look, type Looked, type LookOptions } from "./items.ts";

/** How a grid looks, whatever stands in it. */
export interface GridStyle {
  /** One line over the whole. */
  readonly heading?: string;
  /** Under the whole, a sentence each. */
  readonly notes?: readonly string[];
  /** CSS pixels of a picture's longer side. Default 176. */
  readonly cell?: number;
  /** Parts of every picture, framed and drawn enlarged beneath it; or of a row's pictures, by its index. */
  readonly crops?: readonly Crop[] | ((row: number) => readonly Crop[]);
}

/** Labels of a grid of steps or tensors, and how it looks. */
export interface GridOptions extends LookOptions, GridStyle, FigureOptions {
  /** Left of each row, a prompt for example: wrapped, as many lines as the pictures are high. */
  readonly rows?: readonly string[];
  /** Over each column. */
  readonly columns?: readonly string[];
  /** Under each picture, in rows as the pictures are; "\n" begins a new line. */
  readonly captions?: readonly (readonly (string | undefined)[])[];
}

/** Of a comparison: what tells rows and columns apart. */
export interface ComparedGridOptions extends ArrangeOptions, GridStyle {}

/** Rows of a grid; undefined leaves a place empty. */
export type Items = readonly (readonly (Item | undefined)[])[];

/** Items, or a comparison's results, each with its own options. */
export type GridArguments<Cell extends ComparedCell> =
  | readonly [items: Items, options?: GridOptions]
  | readonly [runs: Compared<Cell>, options?: ComparedGridOptions];

/** Places in rows and columns with their labels. Pictures are fetched when the figure is drawn. */
export interface Places extends GridOptions {
  readonly places: readonly (readonly ((() => Item | Promise<Item>) | undefined)[])[];
  /** Places in the longest row. */
  readonly width: number;
}

/** @throws RangeError for nothing, and for labels that are not one a row or column */
export function placesOf<Cell extends ComparedCell>(args: GridArguments<Cell>): Places {
  const { places, ...options } = isCompared(args) ? comparedPlaces(...args) : itemPlaces(...args);
  const width = Math.max(0, ...places.map((row) => row.length));
  if (width === 0) throw new RangeError("Cannot draw a grid of nothing: at least one row of one picture was wanted.");
  const { rows, columns } = options;
  if (rows !== undefined && rows.length !== places.length) {
    throw new RangeError(`Cannot label ${places.length} rows with ${rows.length} labels: one each was wanted.`);
  }
  if (columns !== undefined && columns.length !== width) {
    throw new RangeError(`Cannot label ${width} columns with ${columns.length} labels: one each was wanted.`);
  }
  return { places, width, ...options };
}

function isCompared<Cell extends ComparedCell>(
  args: GridArguments<Cell>,
): args is readonly [runs: Compared<Cell>, options?: ComparedGridOptions] {
  return "cells" in args[0];
}

function itemPlaces(items: Items, options: GridOptions = {}): Omit<Places, "width"> {
  return { ...options, places: items.map((row) => row.map((item) => item && (() => item))) };
}

function comparedPlaces<Cell extends ComparedCell>(
  runs: Compared<Cell>,
  { rows, columns, captions, ...style }: ComparedGridOptions = {},
): Omit<Places, "width"> {
  const arranged = arrange(runs.cells, { rows, columns, captions });
  return {
    ...style,
    rows: arranged.rows,
    columns: arranged.columns,
    captions: arranged.captions,
    notes: [...style.notes ?? [], ...arranged.notes],
    places: arranged.cells.map((row) => row.map((cell) => cell && (() => runs.picture(cell)))),
    provenance: () => runs.provenance?.(),
  };
}

/** The pictures, in rows: one after another, as a decoder runs one at a time. */
export async function lookAtPlaces({ places, ...options }: Places): Promise<(Looked | undefined)[][]> {
  const rows: (Looked | undefined)[][] = [];
  for (const row of places) {
    const looked: (Looked | undefined)[] = [];
    for (const place of row) looked.push(place && await look(await place(), options));
    rows.push(looked);
  }
  return rows;
}

/** A grid in words. */
export function gridInWords({ places, width, rows, columns, heading }: Places): string {
  const sides = [
    rows && `rows: ${rows.map(oneLine).join("; ")}`,
    columns && `columns: ${columns.map(oneLine).join("; ")}`,
  ];
  const words = [`${places.length} × ${width} pictures`, ...sides.filter((side) => side !== undefined)].join("; ");
  return heading ? `${heading}. ${words}` : words;
}

/** A title as one line of plain words: as it is named in a sentence. */
export const oneLine = (title: string) => title.replaceAll("\n", ", ").replaceAll("\u00a0", " ");
