/**
 * Pictures as CLIP's picture tower takes them: transformers' `CLIPImageProcessor` to the bit, up to float32's rounding.
 *
 * The shorter side is scaled by Pillow's filter, which widens with the scale (so it does not alias) and works on bytes
 * with rounded coefficients, columns first; then the middle is cut out and each channel normalised.
 * Source of the arithmetic: Pillow, src/libImaging/Resample.c.
 */

import { Tensor } from "../../tensor/tensor.ts";
import type { ClipPreprocessing } from "../../weights/clip.ts";

/** Bits behind the point in Pillow's coefficients. */
const PRECISION = 2 ** 22;

/** @see ClipPreprocessing; the cubic is Keys' with a = −1/2 */
const FILTERS: Readonly<Record<ClipPreprocessing["resample"], { support: number; weight: (x: number) => number }>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weight: (x) => {
      const [a, t] = [-0.5, Math.abs(x)];
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
    },
  },
};

/**
 * @param pictures `[batch, 3, height, width]` in 0..1; rounded to bytes, as a picture file holds them
 * @returns `[batch, 3, crop, crop]`, normalised
 */
export function preprocess(pictures: Tensor, options: ClipPreprocessing): Tensor {
  const { shortestEdge, crop, mean, deviation } = options;
  const [batch, channels, height, width] = pictures.shape;
  const scale = (side: number) => Math.trunc(shortestEdge * side / Math.min(height, width));
  const [rows, columns] = [
    height <= width ? shortestEdge : scale(height),
    width <= height ? shortestEdge : scale(width),
  ];
  const [top, left] = [Math.floor((rows - crop) / 2), Math.floor((columns - crop) / 2)];
  const out = new Float32Array(batch * channels * crop * crop);
  for (let plane = 0; plane < batch * channels; plane++) {
    const size = height * width;
    const bytes = Uint8Array.from(
      pictures.data.subarray(plane * size, (plane + 1) * size),
      (value) => Math.round(255 * Math.min(1, Math.max(0, value))),
    );
    const scaled = resize({ data: bytes, width, height }, columns, rows, options.resample);
    const channel = plane % channels;
    for (let y = 0; y < crop; y++) {
      for (let x = 0; x < crop; x++) {
        const value = scaled[(top + y) * columns + left + x] / 255;
        out[(plane * crop + y) * crop + x] = (value - mean[channel]) / deviation[channel];
      }
    }
  }
  return new Tensor(out, [batch, channels, crop, crop]);
}

interface Plane {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Scales one channel, along the rows and then along the columns. */
function resize(
  { data, width, height }: Plane,
  columns: number,
  rows: number,
  resample: ClipPreprocessing["resample"],
) {
  let plane = data;
  if (columns !== width) {
    plane = along(
      plane,
      { count: height, stride: width, step: 1, from: width, to: columns, next: columns, by: 1 },
      resample,
    );
  }
  if (rows !== height) {
    const lines = { count: columns, stride: 1, step: columns, from: height, to: rows, next: 1, by: columns };
    plane = along(plane, lines, resample);
  }
  return plane;
}

/** Lines of a plane: where each begins and how it goes on, before and after. */
interface Lines {
  readonly count: number;
  readonly stride: number;
  readonly step: number;
  readonly from: number;
  readonly to: number;
  readonly next: number;
  readonly by: number;
}

function along(
  data: Uint8Array,
  { count, stride, step, from, to, next, by }: Lines,
  resample: ClipPreprocessing["resample"],
): Uint8Array {
  const out = new Uint8Array(count * to);
  for (const [index, { start, weights }] of coefficients(from, to, resample).entries()) {
    for (let line = 0; line < count; line++) {
      let sum = PRECISION / 2;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * data[line * stride + (start + k) * step];
      out[line * next + index * by] = Math.min(255, Math.max(0, Math.floor(sum / PRECISION)));
    }
  }
  return out;
}

/** For each pixel that comes out: the first that it is made of, and the weight of each, in units of 2⁻²². */
function coefficients(from: number, to: number, resample: ClipPreprocessing["resample"]) {
  const { support, weight } = FILTERS[resample];
  const scale = from / to;
  const widened = Math.max(1, scale);
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support * widened + 0.5));
    const end = Math.min(from, Math.trunc(centre + support * widened + 0.5));
    const raw = Array.from({ length: end - start }, (_, k) => weight((start + k - centre + 0.5) / widened));
    const sum = raw.reduce((total, value) => total + value, 0);
    return { start, weights: raw.map((value) => roundAway(value / sum * PRECISION)) };
  });
}

function roundAway(value: number): number {
  return Math.trunc(value + (value < 0 ? -0.5 : 0.5));
}
