/** How far pictures are from those of a reference column, pixel by pixel. */

import type { Compared, ComparedCell } from "./arrange.ts";
import { Figure } from "./figure.ts";
import { beyondNote, ember, type Heat, heat, type Plane, ramp } from "./heat.ts";
import { fittedNote, type Looked } from "./items.ts";
import {
  type ComparedGridOptions,
  type GridArguments,
  gridInWords,
  type GridOptions,
  type Items,
  lookAtPlaces,
  oneLine,
  placesOf,
} from "./places.ts";
import { layOut, notFiniteNote, type SheetCell } from "./sheet.ts";

/** What is held against what. */
export interface DifferenceOptions {
  /** The column that the others are held against: its title, lines joined by ", ", or its index. Default the first. */
  readonly reference?: string | number;
  /** The difference that is drawn brightest, 0..1. Default: the largest of the whole grid. */
  readonly limit?: number;
}

/**
 * The reference column as it is, every other picture as a map of its difference to the reference in the same row: the
 * mean over red, green and blue of |a − b|, in 0..1, on one scale for the whole grid. Under each stands its root mean
 * square over all pixels and colours.
 *
 * @throws RangeError when there is no such column, or a picture has another size than its reference
 */
export function differences(items: Items, options?: Omit<GridOptions, "crops"> & DifferenceOptions): Figure;
/** The same of a comparison's results: `differences(runs, { columns: "model", reference: "base" })`. */
export function differences<Cell extends ComparedCell>(
  runs: Compared<Cell>,
  options?: Omit<ComparedGridOptions, "crops"> & DifferenceOptions,
): Figure;
export function differences<Cell extends ComparedCell>(
  ...args: GridArguments<Cell> & { readonly 1?: DifferenceOptions }
): Figure {
  const places = placesOf(args);
  const { reference = 0, limit } = args[1] ?? {};
  const column = typeof reference === "number"
    ? reference
    : (places.columns ?? []).map(oneLine).indexOf(oneLine(reference));
  if (!Number.isInteger(column) || column < 0 || column >= places.width) {
    throw new RangeError(
      `Cannot hold pictures against column ${JSON.stringify(reference)}: the grid's are ` +
        `${(places.columns ?? places.places[0].map((_, index) => String(index))).map(oneLine).join("; ")}.`,
    );
  }
  return new Figure(async () => {
    const looked = await lookAtPlaces(places);
    const maps = looked.map((row) =>
      row.map((one, index) => index === column ? undefined : compared(one, row[column]))
    );
    const most = limit ?? Math.max(0, ...maps.flat().map((map) => map?.most ?? 0));
    const heats: Heat[] = [];
    const rows = looked.map((row, index) =>
      row.map((one, at): SheetCell | undefined => {
        if (at === column) {
          return one && { raster: one.rasters[0], scaling: one.scaling, caption: places.captions?.[index]?.[at] };
        }
        const map = maps[index][at];
        if (map === undefined || one === undefined) return undefined;
        const drawn = heat(map, { colors: ember, range: [0, most] });
        heats.push(drawn);
        const caption = Number.isNaN(map.rootMeanSquare) ? "not finite" : `RMS ${map.rootMeanSquare.toFixed(3)}`;
        return { raster: drawn.raster, scaling: one.scaling, caption };
      })
    );
    const title = oneLine(places.columns?.[column] ?? `column ${column + 1}`);
    return layOut({
      rows,
      rowTitles: places.rows,
      columnTitles: places.columns?.map((title, index) => index === column ? title : `Δ ${title}`),
      heading: places.heading,
      ramp: ramp(ember, "0", most.toFixed(2)),
      notes: [
        ...places.notes ?? [],
        `Mean absolute difference of red, green and blue (0 to 1) to ${title}; RMS over all pixels and colours.`,
        ...beyondNote(heats),
        ...fittedNote(looked.flat()),
        ...notFiniteNote(rows.flat()),
      ],
      cell: places.cell ?? 176,
      alt: `Differences to ${title}. ${gridInWords(places)}`,
    });
  }, places);
}

/** Values in 0..1. */
interface DifferenceMap extends Plane {
  readonly most: number;
  readonly rootMeanSquare: number;
}

function compared(one: Looked | undefined, reference: Looked | undefined): DifferenceMap | undefined {
  if (one === undefined || reference === undefined) return undefined;
  const [a, b] = [one.rasters[0], reference.rasters[0]];
  if (a.width !== b.width || a.height !== b.height) {
    throw new RangeError(
      `Cannot hold a picture of ${a.width}×${a.height} against one of ${b.width}×${b.height}: equal sizes were wanted.`,
    );
  }
  const values = new Float32Array(a.width * a.height);
  if (a.notFinite > 0 || b.notFinite > 0) { // what is drawn there is a mark, no picture: there is no difference to it
    return { width: a.width, height: a.height, values: values.fill(NaN), most: 0, rootMeanSquare: NaN };
  }
  let squares = 0;
  for (let pixel = 0; pixel < values.length; pixel++) {
    for (let color = 0; color < 3; color++) {
      const difference = Math.abs(a.data[pixel * 3 + color] - b.data[pixel * 3 + color]) / 255;
      values[pixel] += difference / 3;
      squares += difference ** 2;
    }
  }
  const most = values.reduce((most, value) => Math.max(most, value), 0);
  return { width: a.width, height: a.height, values, most, rootMeanSquare: Math.sqrt(squares / (values.length * 3)) };
}
