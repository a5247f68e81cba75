/** Rows and columns of pictures with words around them, laid out on a sheet. */

import type { Drawing, PlacedPicture, PlacedText } from "./figure.ts";
import type { Raster } from "./raster.ts";
import { Pen } from "./text.ts";

export interface SheetCell {
  readonly raster: Raster;
  readonly scaling: "smooth" | "hard";
  /** Under the picture. */
  readonly caption?: string;
}

export interface Sheet {
  /** Rows of cells; `undefined` leaves a place empty. */
  readonly rows: readonly (readonly (SheetCell | undefined)[])[];
  /** Over the columns, up to three lines each. */
  readonly columnTitles?: readonly (string | undefined)[];
  /** Over each picture, a line. */
  readonly cellTitles?: readonly (readonly (string | undefined)[])[];
  /** Left of the rows. */
  readonly rowTitles?: readonly (string | undefined)[];
  /** Over everything. */
  readonly heading?: string;
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
const soft = "#5a5a5a";

/** Places everything. Nothing overlaps and nothing is cut: words that do not fit end in "…". */
export function layOut(sheet: Sheet): Drawing {
  const [regular, bold] = [new Pen(400), new Pen(600)];
  const columns = Math.max(0, ...sheet.rows.map((row) => row.length));
  const shapes = sheet.rows.flat().flatMap((cell) => cell === undefined ? [] : [placeOf(cell.raster, sheet.cell)]);
  const cellWidth = Math.max(1, ...shapes.map(({ width }) => width));
  const left = margin + (sheet.rowTitles ? rowTitleWidth + gutter : 0);
  const columnAt = (column: number) => left + column * (cellWidth + gutter);
  const width = Math.max(columnAt(columns) - gutter + margin, leastWidth);

  const pictures: PlacedPicture[] = [];
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
      .map((title) => bold.wrap(title ?? "", size.title, cellWidth, columnTitleLines));
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
    row.forEach((cell, column) => {
      const place = places[column];
      if (cell && place) {
        pictures.push({ raster: cell.raster, scaling: cell.scaling, x: columnAt(column), y, ...place });
      }
    });
    const title = sheet.rowTitles?.[index];
    if (title) {
      const room = Math.max(1, Math.floor(height / (size.title * line)));
      regular.wrap(title, size.title, rowTitleWidth, room).forEach((text, number) => {
        texts.push({ text, x: margin, y: y + size.title * (1 + number * line), size: size.title });
      });
    }
    y += height;
    if (row.some((cell) => cell?.caption)) {
      y += 4;
      row.forEach((cell, column) => {
        if (cell?.caption) write(cell.caption, columnAt(column), { size: size.caption, color: soft }, cellWidth);
      });
      y += size.caption * line;
    }
    y += gutter;
  });

  for (const note of sheet.notes ?? []) {
    for (const text of regular.wrap(note, size.note, width - 2 * margin, 3)) {
      texts.push({ text, x: margin, y: y + size.note, size: size.note, color: soft });
      y += size.note * line;
    }
  }
  return { width: Math.ceil(width), height: Math.ceil(y - gutter + margin), pictures, texts, alt: sheet.alt };
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
