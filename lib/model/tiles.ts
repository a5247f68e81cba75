/**
 * A picture decoded tile by tile, in memory that the tile bounds, to the values of the whole: without seams.
 *
 * Each tile is decoded with as much around it as its pixels can see, and all by the same statistics of the group norms:
 * the whole picture's. Nobody knows these beforehand, as each norm's depend on all norms before it. A thinned-out copy
 * of the picture, small enough for one window, gives a first guess; a pass over all tiles tells what the picture's are
 * under that guess; how the copy's respond to the correction tells the next one (defect correction: Stetter 1978,
 * "The defect correction principle and discretization methods"). Each pass brings them five to ten times nearer.
 */

import { Tensor } from "../tensor/tensor.ts";

/** A stretch of a side, in latent cells: what is decoded, and the core of it that is kept. */
export interface Window {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** Cores side by side that cover a side, as equal as they can be, each with `reach` around it where the side has it. */
export function windows(side: number, core: number, reach: number): Window[] {
  const count = Math.ceil(side / core);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [Math.floor(i * side / count), Math.floor((i + 1) * side / count)];
    return { start: Math.max(0, from - reach), end: Math.min(side, to + reach), from, to };
  });
}

/** `[norms, groups]` each. */
export interface Statistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** What a tile's network gives: see `buildVaeTile`. */
export interface TileOutput {
  readonly sample: Tensor;
  readonly used: Tensor;
  readonly off: Tensor;
  readonly squares: Tensor;
}

/** Runs the network of a tile. `statistics`: undefined to norm by the window's own. */
export type RunTile = (window: Tensor, core: Tensor, statistics: Statistics | undefined) => Promise<TileOutput>;

export interface TileOptions {
  /** Latent cells of a tile's side, without what is around it. */
  readonly core: number;
  /** Latent cells around it that its pixels can see. */
  readonly reach: number;
  /** Pixels a latent cell stands for. */
  readonly unit: number;
}

/**
 * Statistics are taken to stay as they are when none moves by more than this share of its deviation: under half a level
 * of 255 in the picture.
 */
const settled = 5e-3;

/** Added to a variance by the VAE's norms. */
const epsilon = 1e-6;

/** Passes after which the picture is taken as it is. */
const mostPasses = 6;
/** Runs of the thinned-out copy between two passes: an early norm's change has gone through all later ones. */
const mostRuns = 8;

/** @param middle `[1, channels, h, w]` @returns `[1, 3, unit·h, unit·w]`, about −1..1 */
export async function decodeTiles(middle: Tensor, options: TileOptions, run: RunTile): Promise<Tensor> {
  const copy = thinned(middle, options.core + 2 * options.reach);
  const [, , h, w] = copy.shape;
  const everywhere = new Tensor(new Float32Array(h * w).fill(1), [1, 1, h, w]);
  const ofCopy = async (statistics?: Statistics) =>
    combined([{ ...await run(copy, everywhere, statistics), cells: h * w }]);

  let statistics = await ofCopy();
  for (let pass = 1;; pass++) {
    const { picture, found } = await onePass(middle, options, statistics, run);
    if (pass === mostPasses || moved(statistics, found) < settled) return picture;
    const before = await ofCopy(statistics);
    statistics = found;
    for (let i = 0; i < mostRuns; i++) {
      const next = corrected(await ofCopy(statistics), before, found);
      const still = moved(statistics, next) < settled / 2;
      statistics = next;
      if (still) break;
    }
  }
}

/** Every n-th place, as few as fit into a window. */
function thinned(middle: Tensor, most: number): Tensor {
  const [, channels, height, width] = middle.shape;
  const step = Math.ceil(Math.max(height, width) / most);
  const [h, w] = [Math.ceil(height / step), Math.ceil(width / step)];
  const data = new Float32Array(channels * h * w);
  for (let channel = 0, to = 0; channel < channels; channel++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) data[to++] = middle.data[(channel * height + y * step) * width + x * step];
    }
  }
  return new Tensor(data, [1, channels, h, w]);
}

/** The copy's statistics, set right by what the picture's were where the copy's were `before`. */
function corrected(copy: Statistics, before: Statistics, picture: Statistics): Statistics {
  const mean = copy.mean.plus(picture.mean).minus(before.mean);
  const ratio = picture.variance.zip(before.variance, "correct", (a, b) => b > 0 ? a / b : 1);
  return { mean, variance: copy.variance.zip(ratio, "correct", (a, b) => a * b) };
}

async function onePass(
  middle: Tensor,
  { core, reach, unit }: TileOptions,
  statistics: Statistics,
  run: RunTile,
): Promise<{ picture: Tensor; found: Statistics }> {
  const [, , height, width] = middle.shape;
  const parts: Parameters<typeof combined>[0][number][] = [];
  const picture = Tensor.zeros([1, 3, unit * height, unit * width]);
  for (const rows of windows(height, core, reach)) {
    for (const columns of windows(width, core, reach)) {
      const { sample, ...moments } = await run(cut(middle, rows, columns), coreOf(rows, columns), statistics);
      paste(sample, picture, rows, columns, unit);
      parts.push({ ...moments, cells: (rows.to - rows.from) * (columns.to - columns.from) });
    }
  }
  return { picture, found: combined(parts) };
}

/** Moments of parts as those of the whole, in float64. */
function combined(parts: readonly (Omit<TileOutput, "sample"> & { readonly cells: number })[]): Statistics {
  const [{ used: { shape, data } }] = parts;
  const total = parts.reduce((sum, { cells }) => sum + cells, 0);
  const [mean, variance] = [new Float32Array(data.length), new Float32Array(data.length)];
  for (let i = 0; i < data.length; i++) {
    const own = parts.map(({ used, off, squares, cells }) => ({
      share: cells / total,
      mean: used.data[i] + off.data[i],
      variance: Math.max(0, squares.data[i] - off.data[i] ** 2),
    }));
    const whole = own.reduce((sum, { share, mean }) => sum + share * mean, 0);
    mean[i] = whole;
    variance[i] = own.reduce((sum, part) => sum + part.share * (part.variance + (part.mean - whole) ** 2), 0);
  }
  return { mean: new Tensor(mean, shape), variance: new Tensor(variance, shape) };
}

/** The most that a mean moved, or a deviation changed, in units of the deviation. */
function moved(before: Statistics, after: Statistics): number {
  let most = 0;
  for (let i = 0; i < before.mean.data.length; i++) {
    const deviation = Math.sqrt(after.variance.data[i] + epsilon);
    const shift = Math.abs(after.mean.data[i] - before.mean.data[i]) / deviation;
    const stretch = Math.abs(Math.sqrt(before.variance.data[i] + epsilon) / deviation - 1);
    most = Math.max(most, shift, stretch);
  }
  return most;
}

function cut({ data, shape: [, channels, height, width] }: Tensor, rows: Window, columns: Window): Tensor {
  const [h, w] = [rows.end - rows.start, columns.end - columns.start];
  const out = new Float32Array(channels * h * w);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < h; y++) {
      const from = (channel * height + rows.start + y) * width;
      out.set(data.subarray(from + columns.start, from + columns.end), (channel * h + y) * w);
    }
  }
  return new Tensor(out, [1, channels, h, w]);
}

function coreOf(rows: Window, columns: Window): Tensor {
  const [h, w] = [rows.end - rows.start, columns.end - columns.start];
  const out = new Float32Array(h * w);
  for (let y = rows.from; y < rows.to; y++) {
    const at = (y - rows.start) * w;
    out.fill(1, at + columns.from - columns.start, at + columns.to - columns.start);
  }
  return new Tensor(out, [1, 1, h, w]);
}

/** Puts a tile's core where it belongs in the picture. */
function paste({ data, shape }: Tensor, picture: Tensor, rows: Window, columns: Window, unit: number): void {
  const [, channels, height, width] = shape;
  const [, , wholeHeight, wholeWidth] = picture.shape;
  const [left, right] = [columns.from, columns.to].map((place) => (place - columns.start) * unit);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = rows.from * unit; y < rows.to * unit; y++) {
      const from = (channel * height + y - rows.start * unit) * width;
      const to = (channel * wholeHeight + y) * wholeWidth + columns.from * unit;
      picture.data.set(data.subarray(from + left, from + right), to);
    }
  }
}
