/** What stands on a sheet: one description, which is drawn to pixels, to SVG and to PDF. Lengths are CSS pixels. */

import type { Raster } from "./raster.ts";
import type { TextStyle } from "./text.ts";

/** A picture on the sheet, scaled to fill its place. */
export interface PlacedPicture {
  /** Its pixels, as many as there are, whatever it is scaled to. */
  readonly raster: Raster;
  /** CSS pixels from the left. */
  readonly x: number;
  /** CSS pixels from the top. */
  readonly y: number;
  /** CSS pixels. */
  readonly width: number;
  /** CSS pixels. */
  readonly height: number;
  /** Latents keep their hard pixels; photographs are interpolated. Default "smooth". */
  readonly scaling?: "smooth" | "hard";
}

/** A line of words; `y` is its baseline. */
export interface PlacedText extends TextStyle {
  /** One line: nothing is wrapped here. */
  readonly text: string;
  /** CSS pixels from the left, of the end that `anchor` names. */
  readonly x: number;
  /** CSS pixels from the top, of the baseline. */
  readonly y: number;
  /** Degrees clockwise about (x, y). Default 0. */
  readonly angle?: number;
}

/** A line or an area, over the pictures and under the words. */
export interface PlacedShape {
  /** SVG path data. */
  readonly path: string;
  /** Moves the path. Default (0, 0). */
  readonly offset?: { readonly x: number; readonly y: number };
  /** "#rrggbb". Default: not filled. */
  readonly fill?: string;
  /** "#rrggbb". Default: no line. */
  readonly stroke?: string;
  /** Default 1. */
  readonly strokeWidth?: number;
  /** Lengths of dashes and gaps. Default: a whole line. */
  readonly dash?: readonly number[];
  /** 0..1. Default 1. */
  readonly opacity?: number;
}

/** What stands on the sheet. */
export interface Drawing {
  /** CSS pixels. */
  readonly width: number;
  /** CSS pixels. */
  readonly height: number;
  /** Under lines and words. */
  readonly pictures: readonly PlacedPicture[];
  /** Over the pictures, under the words. */
  readonly shapes?: readonly PlacedShape[];
  /** Over everything. */
  readonly texts: readonly PlacedText[];
  /** The figure in words, for those who do not see it. */
  readonly alt: string;
}

/** Path data of a rectangle. */
export function rectangle(x: number, y: number, width: number, height: number): string {
  return `M${x} ${y}h${width}v${height}h${-width}Z`;
}
