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
    const { real, imaginary } = transform(plane, width, height);
    for (let y = 0; y < height; y++) {
      const v = (y <= height / 2 ? y : y - height) / height;
      for (let x = 0; x < width; x++) {
        const u = (x <= width / 2 ? x : x - width) / width;
        const ring = Math.round(longer * Math.sqrt(u * u + v * v));
        if (ring === 0 || ring > rings) continue;
        power[ring] += (real[y * width + x] ** 2 + imaginary[y * width + x] ** 2) / size;
        counts[ring]++;
      }
    }
  }
  const kept = Array.from({ length: rings }, (_, index) => index + 1);
  return {
    frequency: kept.map((ring) => ring / longer),
    power: kept.map((ring) => power[ring] / counts[ring]),
  };
}

interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

const complex = (length: number): Complex => ({
  real: new Float64Array(length),
  imaginary: new Float64Array(length),
});

/** Rows, then columns. Any size. */
function transform(plane: Float32Array, width: number, height: number): Complex {
  const [values, byRow, out] = [
    { ...complex(plane.length), real: Float64Array.from(plane) },
    complex(plane.length),
    complex(plane.length),
  ];
  for (let y = 0; y < height; y++) fourier(values, y * width, 1, width, byRow, y * width);
  const column = complex(height);
  for (let x = 0; x < width; x++) {
    fourier(byRow, x, width, height, column, 0);
    for (let y = 0; y < height; y++) {
      out.real[y * width + x] = column.real[y];
      out.imaginary[y * width + x] = column.imaginary[y];
    }
  }
  return out;
}

/** Cooley and Tukey 1965: halves while the length is even, sums where it is odd. Reads with a stride, writes in a row. */
function fourier(from: Complex, start: number, stride: number, length: number, to: Complex, at: number): void {
  const { cos, sin } = turns(length);
  if (length % 2 === 1) {
    for (let k = 0; k < length; k++) {
      let [a, b] = [0, 0];
      for (let i = 0; i < length; i++) {
        const turn = i * k % length;
        const [re, im] = [from.real[start + i * stride], from.imaginary[start + i * stride]];
        a += re * cos[turn] + im * sin[turn];
        b += im * cos[turn] - re * sin[turn];
      }
      to.real[at + k] = a;
      to.imaginary[at + k] = b;
    }
    return;
  }
  const half = length / 2;
  fourier(from, start, 2 * stride, half, to, at);
  fourier(from, start + stride, 2 * stride, half, to, at + half);
  for (let k = at; k < at + half; k++) {
    const [c, s] = [cos[k - at], sin[k - at]];
    const a = to.real[k + half] * c + to.imaginary[k + half] * s;
    const b = to.imaginary[k + half] * c - to.real[k + half] * s;
    to.real[k + half] = to.real[k] - a;
    to.imaginary[k + half] = to.imaginary[k] - b;
    to.real[k] += a;
    to.imaginary[k] += b;
  }
}

const known = new Map<number, { readonly cos: Float64Array; readonly sin: Float64Array }>();

/** Cosines and sines of a whole turn in `length` steps. */
function turns(length: number): { readonly cos: Float64Array; readonly sin: Float64Array } {
  const found = known.get(length);
  if (found !== undefined) return found;
  const table = { cos: new Float64Array(length), sin: new Float64Array(length) };
  for (let i = 0; i < length; i++) {
    table.cos[i] = Math.cos(2 * Math.PI * i / length);
    table.sin[i] = Math.sin(2 * Math.PI * i / length);
  }
  known.set(length, table);
  return table;
}
