/** All frames of a slider on one sheet. */

import { beside } from "./beside.ts";
import { Figure } from "./figure.ts";

/** CSS pixels: what a notebook shows without shrinking it. */
const sheetWidth = 960;

export function contactSheetOf(frames: readonly Figure[], heading: string | undefined): Figure {
  return new Figure(async () => {
    const widths = await Promise.all(frames.map(async (figure) => (await figure.drawing()).width));
    const perRow = Math.max(1, Math.floor(sheetWidth / Math.max(...widths)));
    const rows = Array.from(
      { length: Math.ceil(frames.length / perRow) },
      (_, row) => beside(frames.slice(row * perRow, (row + 1) * perRow), { gap: 0 }),
    );
    const drawing = await beside(rows, { direction: "column", gap: 0 }).drawing();
    return { ...drawing, alt: `${heading ? `${heading}: ` : ""}all frames of the slider. ${drawing.alt}` };
  });
}
