/** Numbers over a picture's places as colours, with what lies outside of the scale marked. */

import { brokenColor, brokenSquare, type Raster } from "./raster.ts";
import type { Ramp } from "./sheet.ts";

/** Red, green, blue in 0..255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** A colour for every number of 0..1, written as red, green, blue into `color`: an array a pixel would cost the most. */
export type ColorScale = (t: number, color: Float64Array) => void;

/** A plane of numbers in rows. */
export interface Plane {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `[height · width]`, row by row. */
  readonly values: Float32Array;
}

/** From dark to light, so that order survives grey print and colour blindness: matplotlib's inferno, at nine places. */
export const ember: ColorScale = through([
  [0, 0, 4],
  [27, 12, 65],
  [74, 12, 107],
  [120, 28, 109],
  [165, 44, 96],
  [207, 68, 70],
  [237, 105, 37],
  [251, 155, 6],
  [252, 255, 164],
]);

/** Blue, white, red: dark ends that stay apart for colour-blind readers (ColorBrewer's RdBu, ends and middle). */
export const diverging: ColorScale = through([[33, 102, 172], [255, 255, 255], [178, 24, 43]]);

/** What no scale paints: a value beyond its end. */
export const beyondColor: Rgb = [0, 255, 0];

function through(anchors: readonly Rgb[]): ColorScale {
  const flat = Float64Array.from(anchors.flat());
  return (t, color) => {
    const at = Math.min(1, Math.max(0, t)) * (anchors.length - 1);
    const from = Math.min(anchors.length - 2, Math.floor(at));
    for (let channel = 0; channel < 3; channel++) {
      const a = flat[3 * from + channel];
      color[channel] = a + (flat[3 * from + 3 + channel] - a) * (at - from);
    }
  };
}

/** A scale's colours in a row, for a sheet's legend. */
export function ramp(colors: ColorScale, least: string, most: string): Ramp {
  const width = 256;
  const data = new Uint8Array(3 * width);
  const color = new Float64Array(3);
  for (let x = 0; x < width; x++) {
    colors(x / (width - 1), color);
    data.set(color.map(Math.round), 3 * x);
  }
  return { raster: { width, height: 1, data, notFinite: 0 }, least, most };
}

export interface HeatOptions {
  readonly colors: ColorScale;
  /** The number that gets the scale's first colour, and the one that gets its last. */
  readonly range: readonly [low: number, high: number];
}

export interface Heat {
  readonly raster: Raster;
  /** Values outside of the range, drawn in a green that the scales do not have. */
  readonly beyond: number;
}

/** A heat map, a pixel a number. NaN and infinity become the magenta checker of `rasters`, and are counted. */
export function heat({ width, height, values }: Plane, { colors, range: [low, high] }: HeatOptions): Heat {
  const data = new Uint8Array(3 * width * height);
  const span = high - low || 1;
  const slack = 1e-6 * span; // the largest value itself is not beyond
  const color = new Float64Array(3);
  let [beyond, notFinite] = [0, 0];
  for (let pixel = 0; pixel < width * height; pixel++) {
    const value = values[pixel];
    if (!Number.isFinite(value)) {
      color.set(brokenColor(pixel % width, Math.floor(pixel / width), 1));
      notFinite++;
    } else if (value < low - slack || value > high + slack) {
      color.set(beyondColor);
      beyond++;
    } else {
      colors((value - low) / span, color);
    }
    for (let channel = 0; channel < 3; channel++) data[3 * pixel + channel] = Math.round(color[channel]);
  }
  return { raster: { width, height, data, notFinite }, beyond };
}

/** A note for the reader where values lie outside of a heat map's range. */
export function beyondNote(heats: readonly Heat[]): string[] {
  const count = heats.reduce((sum, { beyond }) => sum + beyond, 0);
  if (count === 0) return [];
  return [`${count} ${count === 1 ? "value lies" : "values lie"} beyond the scale: drawn in green.`];
}

/** The plane at another size, interpolated between the middles of its cells, as torch's bilinear without corners. */
export function resize({ width, height, values }: Plane, toWidth: number, toHeight: number): Plane {
  const out = new Float32Array(toWidth * toHeight);
  const places = (from: number, to: number) =>
    Array.from({ length: to }, (_, index) => {
      const at = Math.min(from - 1, Math.max(0, (index + 0.5) * from / to - 0.5));
      const low = Math.min(from - 1, Math.floor(at));
      return { low, high: Math.min(from - 1, low + 1), share: at - low };
    });
  const [columns, rows] = [places(width, toWidth), places(height, toHeight)];
  let to = 0;
  for (const { low, high, share } of rows) {
    const [upper, lower] = [low * width, high * width];
    for (const column of columns) {
      const above = values[upper + column.low] * (1 - column.share) + values[upper + column.high] * column.share;
      const below = values[lower + column.low] * (1 - column.share) + values[lower + column.high] * column.share;
      out[to++] = above * (1 - share) + below * share;
    }
  }
  return { width: toWidth, height: toHeight, values: out };
}

/** How a picture is laid under a heat map: as grey, and the fainter the hotter the place. */
const underHeat = { brightness: 0.75, most: 0.85 };

/**
 * A heat map over a picture: grey where the plane is at the range's low end, the scale's colours towards the high end.
 * The plane is brought to the picture's size.
 */
export function overlay(picture: Raster, plane: Plane, { colors, range: [low, high] }: HeatOptions): Raster {
  const { width, height } = picture;
  const { values } = resize(plane, width, height);
  const data = new Uint8Array(picture.data.length);
  const square = brokenSquare(picture);
  const color = new Float64Array(3);
  let { notFinite } = picture;
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (!Number.isFinite(values[pixel])) {
      data.set(brokenColor(pixel % width, Math.floor(pixel / width), square), 3 * pixel);
      notFinite++;
      continue;
    }
    const amount = Math.min(1, Math.max(0, (values[pixel] - low) / (high - low || 1)));
    const [red, green, blue] = [picture.data[3 * pixel], picture.data[3 * pixel + 1], picture.data[3 * pixel + 2]];
    const grey = underHeat.brightness * (0.299 * red + 0.587 * green + 0.114 * blue);
    colors(0.25 + 0.75 * amount, color);
    const share = underHeat.most * amount;
    for (let channel = 0; channel < 3; channel++) {
      data[3 * pixel + channel] = Math.round(grey * (1 - share) + color[channel] * share);
    }
  }
  return { width, height, data, notFinite };
}

/** The colours that `overlay` lays on black: what its legend shows. */
export function overlayScale(colors: ColorScale): ColorScale {
  return (t, color) => {
    const [grey, share] = [underHeat.brightness * 128, underHeat.most * t];
    colors(0.25 + 0.75 * t, color);
    for (let channel = 0; channel < 3; channel++) color[channel] = grey * (1 - share) + color[channel] * share;
  };
}
