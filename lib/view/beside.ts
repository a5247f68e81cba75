/** Figures put together to one: side by side, or one under the other. */

import type { Drawing } from "./drawing.ts";
import { Figure } from "./figure.ts";

/** How figures are put together. */
export interface BesideOptions {
  /** "row" (default): side by side, tops level. "column": one under the other. */
  readonly direction?: "row" | "column";
  /** CSS pixels between. Default 12. */
  readonly gap?: number;
}

/** Figures as one: their drawings put together, what they say joined. @throws RangeError for none */
export function beside(figures: readonly Figure[], { direction = "row", gap = 12 }: BesideOptions = {}): Figure {
  if (figures.length === 0) throw new RangeError("Cannot put no figures together: at least one was wanted.");
  return new Figure(async () => {
    const drawings: Drawing[] = [];
    for (const figure of figures) drawings.push(await figure.drawing());
    let [x, y] = [0, 0];
    const moved = drawings.map((drawing) => {
      const placed = move(drawing, x, y);
      if (direction === "row") x += drawing.width + gap;
      else y += drawing.height + gap;
      return placed;
    });
    const widths = drawings.map(({ width }) => width);
    const heights = drawings.map(({ height }) => height);
    return {
      width: direction === "row" ? x - gap : Math.max(...widths),
      height: direction === "row" ? Math.max(...heights) : y - gap,
      pictures: moved.flatMap(({ pictures }) => pictures),
      shapes: moved.flatMap(({ shapes = [] }) => shapes),
      texts: moved.flatMap(({ texts }) => texts),
      alt: drawings.map(({ alt }) => alt).join(". "),
    };
  });
}

/** The drawing shifted by CSS pixels; its size stays. */
export function move(drawing: Drawing, x: number, y: number): Drawing {
  const at = <T extends { readonly x: number; readonly y: number }>(item: T): T => ({
    ...item,
    x: item.x + x,
    y: item.y + y,
  });
  return {
    ...drawing,
    pictures: drawing.pictures.map(at),
    texts: drawing.texts.map(at),
    shapes: drawing.shapes?.map((shape) => ({ ...shape, offset: at(shape.offset ?? { x: 0, y: 0 }) })),
  };
}
