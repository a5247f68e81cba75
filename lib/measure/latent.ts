/** What a latent's numbers are like: moments, shares, and power over frequency. Pure. */

import { formatShape, type Tensor } from "../tensor/tensor.ts";

/** Of one channel. */
export interface ChannelStatistics {
  /** Of the finite values. */
  readonly mean: number;
  /** Of the finite values, about their mean. */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
  /** Values that are NaN or infinite. */
  readonly notFinite: number;
}

/** @param plane one channel, or any list of numbers */
export function statistics({ data }: Tensor): ChannelStatistics {
  let [count, sum, least, most] = [0, 0, Infinity, -Infinity];
  for (const value of data) {
    if (!Number.isFinite(value)) continue;
    count++;
    sum += value;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const mean = sum / count;
  let squares = 0;
  for (const value of data) if (Number.isFinite(value)) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / count), least, most, notFinite: data.length - count };
}

/** Power over spatial frequency, averaged over directions and channels. */
export interface Spectrum {
  /** Cycles per latent cell, rising; the last is at most 0.5, a period of two cells. */
  readonly frequency: readonly number[];
  /** Mean of |F|² / (height·width) on each ring: white noise of deviation σ has σ² everywhere. */
  readonly power: readonly number[];
}

/**
 * The radially averaged power spectrum of a latent's first picture, F being the discrete Fourier transform of a channel.
 * Rings are one cycle per longer side wide; the mean, which has no frequency, is left out. Corners beyond 0.5 cycles per
 * cell are left out too: no ring there is whole.
 *
 * van der Schaaf and van Hateren 1996, "Modelling the power spectra of natural images", section 2.
 *
 * @param latent `[batch, channels, height, width]`
 * @throws RangeError for other shapes, or values that are not finite: one of them would spread over every frequency
 */
export function spectrum(latent: Tensor): Spectrum {
  const [, channels, height, width] = latent.shape;
  if (latent.shape.length !== 4 || height < 2 || width < 2) {
    throw new RangeError(`Cannot take the spectrum of ${formatShape(latent.shape)}: [batch, 4, h, w] was wanted.`);
  }
  const size = height * width;
  const longer = Math.max(height, width);
  const rings = Math.floor(longer / 2);
  const [power, counts] = [new Float64Array(rings + 1), new Float64Array(rings + 1)];
  for (let channel = 0; channel < channels; channel++) {
    const plane = latent.data.subarray(channel * size, (channel + 1) * size);
    if (!plane.every(Number.isFinite)) {
      throw new RangeError(`Cannot take the spectrum: channel ${channel} holds NaN or infinite values.`);
    }
    const { real, imaginary, columns } = transform(plane, width, height);
    for (let y = 0; y < height; y++) {
      const v = (y <= height / 2 ? y : y - height) / height;
      for (let x = 0; x < columns; x++) {
        const ring = Math.round(longer * Math.hypot(x / width, v));
        if (ring === 0 || ring > rings) continue;
        const twice = x === 0 || 2 * x === width ? 1 : 2; // a real plane's other half mirrors this one
        power[ring] += twice * (real[y * columns + x] ** 2 + imaginary[y * columns + x] ** 2) / size;
        counts[ring] += twice;
      }
    }
  }
  const kept = Array.from({ length: rings }, (_, index) => index + 1);
  return {
    frequency: kept.map((ring) => ring / longer),
    power: kept.map((ring) => power[ring] / counts[ring]),
  };
}

/** Rows, then columns; of the columns only the half that a real plane does not mirror. Any size. */
function transform(plane: Float32Array, width: number, height: number) {
  const columns = Math.floor(width / 2) + 1;
  const [byRow, byColumn] = [turns(width), turns(height)];
  const [re, im] = [new Float64Array(height * columns), new Float64Array(height * columns)];
  for (let y = 0; y < height; y++) {
    for (let k = 0; k < columns; k++) {
      let [a, b] = [0, 0];
      for (let x = 0, turn = 0; x < width; x++) {
        const value = plane[y * width + x];
        a += value * byRow.cos[turn];
        b -= value * byRow.sin[turn];
        turn += k;
        if (turn >= width) turn -= width;
      }
      re[y * columns + k] = a;
      im[y * columns + k] = b;
    }
  }
  const [real, imaginary] = [new Float64Array(height * columns), new Float64Array(height * columns)];
  for (let k = 0; k < height; k++) {
    for (let y = 0, turn = 0; y < height; y++) {
      const [cos, sin] = [byColumn.cos[turn], byColumn.sin[turn]];
      for (let x = 0; x < columns; x++) {
        const [a, b] = [re[y * columns + x], im[y * columns + x]];
        real[k * columns + x] += a * cos + b * sin;
        imaginary[k * columns + x] += b * cos - a * sin;
      }
      turn += k;
      if (turn >= height) turn -= height;
    }
  }
  return { real, imaginary, columns };
}

function turns(length: number): { readonly cos: Float64Array; readonly sin: Float64Array } {
  const angle = (index: number) => 2 * Math.PI * index / length;
  return {
    cos: Float64Array.from({ length }, (_, index) => Math.cos(angle(index))),
    sin: Float64Array.from({ length }, (_, index) => Math.sin(angle(index))),
  };
}
