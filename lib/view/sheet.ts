/** Rows and columns of pictures with words around them, laid out on a sheet. */

import { type Crop, cropped } from "./crop.ts";
import { type Drawing, type PlacedPicture, type PlacedShape, type PlacedText, rectangle } from "./drawing.ts";
import { quiet, seriesStyle } from "./palette.ts";
import type { Raster } from "./raster.ts";
import { Pen } from "./text.ts";

export interface SheetCell {
  readonly raster: Raster;
  readonly scaling: "smooth" | "hard";
  /** Under the picture; "\n" begins a new line. */
  readonly caption?: string;
  /** Parts that are framed in the picture and drawn enlarged beneath it, side by side. */
  readonly crops?: readonly Crop[];
}

/** A scale of colours with the values at its ends. */
export interface Ramp {
  /** One row of pixels, from the lowest value to the highest. */
  readonly raster: Raster;
  readonly least: string;
  readonly most: string;
}

export interface Sheet {
  /** Rows of cells; `undefined` leaves a place empty. */
  readonly rows: readonly (readonly (SheetCell | undefined)[])[];
  /** Over the columns, up to three lines each; "\n" begins a new one, here and in the rows' titles. */
  readonly columnTitles?: readonly (string | undefined)[];
  /** Over each picture, a line. */
  readonly cellTitles?: readonly (readonly (string | undefined)[])[];
  /** Left of the rows. */
  readonly rowTitles?: readonly (string | undefined)[];
  /** Over everything. */
  readonly heading?: string;
  /** What colours mean, under the pictures. */
  readonly ramp?: Ramp;
  /** Under everything, one line each. */
  readonly notes?: readonly string[];
  /** CSS pixels of a picture's longer side. */
  readonly cell: number;
  readonly alt: string;
}

/** CSS pixels. */
const margin = 12;
const gutter = 8;
const rowTitleWidth = 132;
const columnTitleLines = 3;
const headingLines = 2;
/** Room for words, where the pictures are small. */
const leastWidth = 208;
const size = { heading: 15, title: 12.5, caption: 11.5, note: 11.5 };
const line = 1.35;
const soft = quiet.words;
const captionLines = 4;
/** Between a picture and its crops, and between them. */
const cropGap = 4;
const frameWidth = 1.5;
const rampSize = { width: 160, height: 10 };
const rampGap = 6;

/** Places everything. Nothing overlaps and nothing is cut: words that do not fit end in "…". */
export function layOut(sheet: Sheet): Drawing {
  const [regular, bold] = [new Pen(400), new Pen(600)];
  const columns = Math.max(0, ...sheet.rows.map((row) => row.length));
  const places = sheet.rows.flat().flatMap((cell) => cell === undefined ? [] : [placeOf(cell.raster, sheet.cell)]);
  const cellWidth = Math.max(1, ...places.map(({ width }) => width));
  const left = margin + (sheet.rowTitles ? rowTitleWidth + gutter : 0);
  const columnAt = (column: number) => left + column * (cellWidth + gutter);
  const { least = "", most = "" } = sheet.ramp ?? {};
  const rampWidth = regular.width(least, size.note) + rampSize.width + regular.width(most, size.note) + 2 * rampGap;
  const width = Math.max(columnAt(columns) - gutter + margin, leastWidth, sheet.ramp ? 2 * margin + rampWidth : 0);

  const pictures: PlacedPicture[] = [];
  const shapes: PlacedShape[] = [];
  const texts: PlacedText[] = [];
  let y = margin;
  const write = (
    text: string,
    x: number,
    style: { size: number; weight?: 400 | 600; color?: string },
    room: number,
  ) => {
    const pen = style.weight === 600 ? bold : regular;
    texts.push({ text: pen.fit(text, style.size, room), x, y: y + style.size, ...style });
  };

  if (sheet.heading !== undefined) {
    for (const text of bold.wrap(sheet.heading, size.heading, width - 2 * margin, headingLines)) {
      write(text, margin, { size: size.heading, weight: 600 }, width - 2 * margin);
      y += size.heading * line;
    }
    y += 4;
  }
  if (sheet.columnTitles !== undefined) {
    const titles = sheet.columnTitles.slice(0, columns)
      .map((title) => titleLines(title, bold, cellWidth));
    const most = Math.max(0, ...titles.map((lines) => lines.length));
    titles.forEach((lines, column) =>
      lines.forEach((text, number) => {
        const above = (most - lines.length + number) * size.title * line; // short titles stand on the pictures
        texts.push({ text, x: columnAt(column), y: y + above + size.title, size: size.title, weight: 600 });
      })
    );
    y += most * size.title * line + 2;
  }

  sheet.rows.forEach((row, index) => {
    const titles = sheet.cellTitles?.[index];
    if (titles?.some((title) => title)) {
      titles.forEach((title, column) => {
        if (title) write(title, columnAt(column), { size: size.title, weight: 600 }, cellWidth);
      });
      y += size.title * line + 2;
    }
    const places = row.map((cell) => cell && placeOf(cell.raster, sheet.cell));
    const height = Math.max(1, ...places.map((place) => place?.height ?? 1));
    let below = 0;
    row.forEach((cell, column) => {
      const place = places[column];
      if (cell === undefined || place === undefined) return;
      const at = { x: columnAt(column), y, ...place };
      pictures.push({ raster: cell.raster, scaling: cell.scaling, ...at });
      const crops = placeCrops(cell, at, y + height + cropGap);
      pictures.push(...crops.pictures);
      shapes.push(...crops.frames);
      below = Math.max(below, crops.height);
    });
    const title = sheet.rowTitles?.[index];
    const whole = height + (below > 0 ? cropGap + below : 0);
    if (title) {
      const room = Math.max(1, Math.floor(whole / (size.title * line)));
      const lines = title.split("\n").flatMap((line) => regular.wrap(line, size.title, rowTitleWidth, room));
      lines.slice(0, room).forEach((text, number) => {
        texts.push({ text, x: margin, y: y + size.title * (1 + number * line), size: size.title });
      });
    }
    y += whole;
    if (row.some((cell) => cell?.caption)) {
      y += 4;
      const captions = row.map((cell) => captionOf(cell, regular, cellWidth));
      captions.forEach(({ lines, size }, column) =>
        lines.forEach((text, number) => {
          texts.push({ text, x: columnAt(column), y: y + size * (1 + number * line), size, color: soft });
        })
      );
      y += Math.max(...captions.map(({ lines }) => lines.length)) * size.caption * line;
    }
    y += gutter;
  });

  if (sheet.ramp !== undefined) {
    const { raster, least, most } = sheet.ramp;
    const after = margin + regular.width(least, size.note) + rampGap;
    pictures.push({ raster, x: after, y: y + 2, ...rampSize, scaling: "smooth" });
    for (const [text, x] of [[least, margin], [most, after + rampSize.width + rampGap]] as const) {
      texts.push({ text, x, y: y + size.note, size: size.note, color: soft });
    }
    y += size.note * line + 2;
  }
  for (const note of sheet.notes ?? []) {
    for (const text of regular.wrap(note, size.note, width - 2 * margin, 3)) {
      texts.push({ text, x: margin, y: y + size.note, size: size.note, color: soft });
      y += size.note * line;
    }
  }
  return { width: Math.ceil(width), height: Math.ceil(y - gutter + margin), pictures, shapes, texts, alt: sheet.alt };
}

/** Crops side by side under their picture, each in the colour of its frame. */
function placeCrops(
  { raster, scaling, crops = [] }: SheetCell,
  at: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  top: number,
): { pictures: PlacedPicture[]; frames: PlacedShape[]; height: number } {
  const pictures: PlacedPicture[] = [];
  const frames: PlacedShape[] = [];
  const width = (at.width - cropGap * (crops.length - 1)) / crops.length;
  crops.forEach((crop, index) => {
    const part = cropped(raster, crop);
    const x = at.x + index * (width + cropGap);
    const height = width * part.height / part.width;
    pictures.push({ raster: part, scaling, x, y: top, width, height });
    const inner = frameWidth / 2; // a frame lies inside of what it frames: neighbours do not touch
    const frame = (x: number, y: number, width: number, height: number) =>
      rectangle(x + inner, y + inner, width - frameWidth, height - frameWidth);
    const stroke = seriesStyle(index + 1).color;
    frames.push(
      { path: frame(x, top, width, height), stroke, strokeWidth: frameWidth },
      {
        path: frame(
          at.x + crop.x * at.width,
          at.y + crop.y * at.height,
          crop.width * at.width,
          crop.height * at.height,
        ),
        stroke,
        strokeWidth: frameWidth,
      },
    );
  });
  return { pictures, frames, height: Math.max(0, ...pictures.map(({ height }) => height)) };
}

/** A title's lines: "\n" begins a new one. */
function titleLines(title: string | undefined, pen: Pen, width: number): string[] {
  return (title ?? "").split("\n").flatMap((line) => pen.wrap(line, size.title, width, columnTitleLines))
    .slice(0, columnTitleLines);
}

/**
 * A caption's lines: each of its own is wrapped, and those beyond the fourth are left out. A seed that is cut short would
 * be another seed: words that are too long make the caption smaller, down to two thirds.
 */
function captionOf(cell: SheetCell | undefined, pen: Pen, width: number): { lines: string[]; size: number } {
  const own = cell?.caption?.split("\n") ?? [];
  const longest = Math.max(0, ...own.flatMap((text) => text.split(" ")).map((word) => pen.width(word, size.caption)));
  const shrunk = size.caption * Math.max(2 / 3, Math.min(1, 0.999 * width / longest));
  const lines = own.flatMap((text) => pen.wrap(text, shrunk, width, 2));
  return { lines: lines.slice(0, captionLines), size: shrunk };
}

/** A raster's place with its longer side at `cell`, its proportions kept. */
function placeOf({ width, height }: Raster, cell: number): { width: number; height: number } {
  const scale = cell / Math.max(width, height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** A note for the reader when a picture holds values that are no numbers. */
export function notFiniteNote(cells: readonly (SheetCell | undefined)[]): string[] {
  const broken = cells.filter((cell) => (cell?.raster.notFinite ?? 0) > 0).length;
  if (broken === 0) return [];
  const which = broken === 1 ? "1 picture holds" : `${broken} pictures hold`;
  return [`${which} NaN or infinite values: they are drawn as a magenta checker.`];
}
