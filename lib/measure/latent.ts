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
export function statistics({ data }: { readonly data: Float32Array }): ChannelStatistics {
  let [count, sum, least, most] = [0, 0, Infinity, -Infinity];
  for (const value of data) {
    if (!Number.isFinite(value)) continue;
    count++;
    sum += value;
    if (value < least) least = value;
    if (value > most) most = value;
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
  const total = new Float64Array(size);
  // Two real channels go through one complex transform Z, as its real and imaginary part. Rings hold k and −k alike, and
  // over such a pair |Z|² sums to what the two channels' own |F|² sum to.
  for (let channel = 0; channel < channels; channel += 2) {
    const values = complex(size);
    fill(values.real, latent.data, channel);
    if (channel + 1 < channels) fill(values.imaginary, latent.data, channel + 1);
    const { real, imaginary } = transform(values, width, height);
    for (let place = 0; place < size; place++) total[place] += real[place] ** 2 + imaginary[place] ** 2;
  }
  const longer = Math.max(height, width);
  const rings = Math.floor(longer / 2);
  const [power, counts] = [new Float64Array(rings + 1), new Float64Array(rings + 1)];
  for (let x = 0; x < width; x++) {
    const u = (x <= width / 2 ? x : x - width) / width;
    for (let y = 0; y < height; y++) {
      const v = (y <= height / 2 ? y : y - height) / height;
      const ring = Math.round(longer * Math.sqrt(u * u + v * v));
      if (ring === 0 || ring > rings) continue;
      power[ring] += total[x * height + y] / size;
      counts[ring] += channels;
    }
  }
  const kept = Array.from({ length: rings }, (_, index) => index + 1);
  return {
    frequency: kept.map((ring) => ring / longer),
    power: kept.map((ring) => power[ring] / counts[ring]),
  };
}

/** Copies a channel. @throws RangeError where it holds what is not finite */
function fill(to: Float64Array, from: Float32Array, channel: number): void {
  const start = channel * to.length;
  for (let place = 0; place < to.length; place++) {
    const value = from[start + place];
    if (!Number.isFinite(value)) {
      throw new RangeError(`Cannot take the spectrum: channel ${channel} holds NaN or infinite values.`);
    }
    to[place] = value;
  }
}

interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

const complex = (length: number): Complex => ({
  real: new Float64Array(length),
  imaginary: new Float64Array(length),
});

/** The discrete Fourier transform over both axes of rows × columns, any size. Columns × rows come out. */
function transform(values: Complex, width: number, height: number): Complex {
  return fourier(transposed(fourier(values, height, width), width, height), width, height);
}

function transposed({ real, imaginary }: Complex, width: number, height: number): Complex {
  const out = complex(real.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      out.real[x * height + y] = real[y * width + x];
      out.imaginary[x * height + y] = imaginary[y * width + x];
    }
  }
  return out;
}

/**
 * Over the first axis of `[length, batch]`, in Stockham's order (Cochran et al. 1967, "What is the fast Fourier
 * transform?"): halves while the length is even, sums where it is odd. Nothing is reordered, and every inner loop runs
 * over neighbours.
 */
function fourier(values: Complex, length: number, batch: number): Complex {
  const { cos, sin } = turns(length);
  let [from, to] = [values, complex(values.real.length)];
  let [left, stride] = [length, 1];
  for (; left % 2 === 0; left /= 2, stride *= 2) {
    const [run, half] = [stride * batch, left / 2];
    for (let p = 0; p < half; p++) {
      butterfly(from, to, {
        run,
        first: p * run,
        second: (p + half) * run,
        cos: cos[p * stride],
        sin: sin[p * stride],
      });
    }
    [from, to] = [to, from];
  }
  if (left === 1) return from;
  const run = stride * batch;
  to.real.fill(0);
  to.imaginary.fill(0);
  for (let k = 0; k < left; k++) {
    for (let p = 0; p < left; p++) {
      const turn = p * k % left * stride;
      addTurned(from, to, { run, read: p * run, write: k * run, cos: cos[turn], sin: sin[turn] });
    }
  }
  return to;
}

interface Butterfly {
  readonly run: number;
  readonly first: number;
  readonly second: number;
  readonly cos: number;
  readonly sin: number;
}

/** Sum and turned difference of two runs, written beside each other. */
function butterfly(from: Complex, to: Complex, { run, first, second, cos, sin }: Butterfly): void {
  const { real, imaginary } = from;
  const at = 2 * first;
  for (let i = 0; i < run; i++) {
    const a = first + i;
    const b = second + i;
    const re = real[a] - real[b];
    const im = imaginary[a] - imaginary[b];
    to.real[at + i] = real[a] + real[b];
    to.imaginary[at + i] = imaginary[a] + imaginary[b];
    to.real[at + run + i] = re * cos + im * sin;
    to.imaginary[at + run + i] = im * cos - re * sin;
  }
}

interface Turned {
  readonly run: number;
  readonly read: number;
  readonly write: number;
  readonly cos: number;
  readonly sin: number;
}

function addTurned(from: Complex, to: Complex, { run, read, write, cos, sin }: Turned): void {
  for (let i = 0; i < run; i++) {
    const re = from.real[read + i];
    const im = from.imaginary[read + i];
    to.real[write + i] += re * cos + im * sin;
    to.imaginary[write + i] += im * cos - re * sin;
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
