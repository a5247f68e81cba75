/** Parts of pictures, enlarged to show detail. */

import type { Raster } from "./raster.ts";

/** A part of a picture: 0..1 of its width and height, from the upper left. */
export interface Crop {
  /** The left edge. */
  readonly x: number;
  /** The upper edge. */
  readonly y: number;
  /** A share of the picture's. */
  readonly width: number;
  /** A share of the picture's. */
  readonly height: number;
}

/** @throws RangeError for a part that does not lie inside the picture */
export function wantCrop(crop: Crop): void {
  const { x, y, width, height } = crop;
  const inside = x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= 1 && y + height <= 1;
  if (!inside) {
    throw new RangeError(
      `Cannot crop ${width} × ${height} at (${x}, ${y}): a part of the picture in 0..1 of its width and height was wanted.`,
    );
  }
}

/** The pixels of a part, whole ones, at least one. */
export function cropped({ width, height, data }: Raster, crop: Crop): Raster {
  const left = Math.min(width - 1, Math.round(crop.x * width));
  const top = Math.min(height - 1, Math.round(crop.y * height));
  const wide = Math.max(1, Math.min(width - left, Math.round(crop.width * width)));
  const high = Math.max(1, Math.min(height - top, Math.round(crop.height * height)));
  const part = new Uint8Array(wide * high * 3);
  for (let row = 0; row < high; row++) {
    const from = ((top + row) * width + left) * 3;
    part.set(data.subarray(from, from + wide * 3), row * wide * 3);
  }
  return { width: wide, height: high, data: part, notFinite: 0 };
}
