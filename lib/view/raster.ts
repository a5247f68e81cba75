/** Pictures as 8-bit pixels, and the one place where a tensor becomes them. */

import { formatShape, Tensor } from "../tensor/tensor.ts";

/** An opaque picture: rows of red, green, blue bytes. */
export interface Raster {
  /** Pixels of a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `[height · width · 3]`, row by row. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Pixels that held NaN or an infinity and are drawn as a magenta checker. */
  readonly notFinite: number;
}

/** The checker that marks what is NaN or infinite: no model paints it, and no scale has it. */
export function brokenColor(x: number, y: number, square: number): [red: number, green: number, blue: number] {
  return (Math.floor(x / square) + Math.floor(y / square)) % 2 === 0 ? [255, 0, 255] : [48, 0, 48];
}

/** Pixels of a side of the checker's squares: some sixteen across. */
export function brokenSquare({ width, height }: { readonly width: number; readonly height: number }): number {
  return Math.max(1, Math.round(Math.max(width, height) / 16));
}

/**
 * The pictures of a batch, `[batch, 3, height, width]` or `[3, height, width]` in 0..1.
 *
 * Values outside of 0..1 are clipped. A pixel that is NaN or infinite is drawn in a magenta checker that no model
 * paints, and counted: a broken run must not look like a dark picture.
 * @throws RangeError for other shapes.
 */
export function rasters(pictures: Tensor): Raster[] {
  const shape = pictures.shape.length === 3 ? [1, ...pictures.shape] : pictures.shape;
  const [batch, channels, height, width] = shape;
  if (shape.length !== 4 || channels !== 3 || height === 0 || width === 0) {
    throw new RangeError(
      `Cannot draw a tensor ${formatShape(pictures.shape)} as pictures: [batch, 3, height, width] was wanted.`,
    );
  }
  return Array.from({ length: batch }, (_, index) => raster(pictures.data, index * 3 * height * width, width, height));
}

function raster(values: Float32Array, offset: number, width: number, height: number): Raster {
  const size = width * height;
  const data = new Uint8Array(size * 3);
  const square = brokenSquare({ width, height });
  let notFinite = 0;
  for (let pixel = 0; pixel < size; pixel++) {
    const [red, green, blue] = [
      values[offset + pixel],
      values[offset + size + pixel],
      values[offset + 2 * size + pixel],
    ];
    if (!Number.isFinite(red + green + blue)) {
      data.set(brokenColor(pixel % width, Math.floor(pixel / width), square), pixel * 3);
      notFinite++;
      continue;
    }
    data[pixel * 3] = byte(red);
    data[pixel * 3 + 1] = byte(green);
    data[pixel * 3 + 2] = byte(blue);
  }
  return { width, height, data, notFinite };
}

/** 0..1 to 0..255, as diffusers rounds it. */
function byte(value: number): number {
  return Math.round(Math.min(1, Math.max(0, value)) * 255);
}

/** Red, green, blue bytes as a tensor `[1, 3, height, width]` in 0..1. */
export function tensorOf({ width, height, data }: Pick<Raster, "width" | "height" | "data">): Tensor {
  const size = width * height;
  const values = new Float32Array(size * 3);
  for (let pixel = 0; pixel < size; pixel++) {
    for (let channel = 0; channel < 3; channel++) values[channel * size + pixel] = data[pixel * 3 + channel] / 255;
  }
  return new Tensor(values, [1, 3, height, width]);
}
