/** How far a picture is from its reference, pixel by pixel, and a latent from its. */

import { formatShape, sizeOf, type Tensor } from "../../tensor/tensor.ts";

/** ‖a − b‖ / ‖b‖ in double, of latents or anything of one shape. @throws RangeError for different shapes */
export function relativeL2(a: Tensor, b: Tensor): number {
  wantSameShape(a, b);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    difference += (a.data[i] - b.data[i]) ** 2;
    norm += b.data[i] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

/**
 * Peak signal-to-noise ratio in decibels, 10·log₁₀(1 / mean squared error), of pictures in 0..1; Infinity for the same.
 * As scikit-image's `peak_signal_noise_ratio` with `data_range` 1.
 */
export function psnr(a: Tensor, b: Tensor): number {
  wantSameShape(a, b);
  const squares = a.data.reduce((sum, value, index) => sum + (value - b.data[index]) ** 2, 0);
  return -10 * Math.log10(squares / b.data.length);
}

/** Wang et al. 2004: a Gaussian window of 11 with deviation 1.5, and the constants for values in 0..1. */
const WINDOW = 11;
const DEVIATION = 1.5;
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

const KERNEL: readonly number[] = (() => {
  const raw = Array.from({ length: WINDOW }, (_, i) => Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * DEVIATION ** 2)));
  const sum = raw.reduce((total, value) => total + value, 0);
  return raw.map((value) => value / sum);
})();

/**
 * Structural similarity, the mean over all places and channels; 1 for the same. Wang et al. 2004, "Image quality
 * assessment: from error visibility to structural similarity", equation 13.
 *
 * As scikit-image's `structural_similarity` with `gaussian_weights`, `sigma` 1.5, `use_sample_covariance` off and
 * `data_range` 1: only places whose whole window lies in the picture count.
 *
 * @param a `[…, height, width]` in 0..1
 * @throws RangeError for different shapes, and for pictures smaller than the window of 11 pixels
 */
export function ssim(a: Tensor, b: Tensor): number {
  wantSameShape(a, b);
  const [height, width] = a.shape.slice(-2);
  if (height < WINDOW || width < WINDOW) {
    throw new RangeError(`Cannot take the SSIM of ${width}x${height} pixels: ${WINDOW} a side were wanted at least.`);
  }
  const planes = sizeOf(a.shape.slice(0, -2));
  let sum = 0;
  for (let plane = 0; plane < planes; plane++) {
    const at = (tensor: Tensor) => tensor.data.subarray(plane * height * width, (plane + 1) * height * width);
    sum += meanSimilarity(at(a), at(b), width, height);
  }
  return sum / planes;
}

function meanSimilarity(a: Float32Array, b: Float32Array, width: number, height: number): number {
  const product = (x: Float32Array, y: Float32Array) => Float64Array.from(x, (value, index) => value * y[index]);
  const [meanA, meanB] = [blurred(a, width, height), blurred(b, width, height)];
  const [squareA, squareB] = [blurred(product(a, a), width, height), blurred(product(b, b), width, height)];
  const both = blurred(product(a, b), width, height);
  let sum = 0;
  for (let i = 0; i < both.length; i++) {
    const [ma, mb] = [meanA[i], meanB[i]];
    const [varianceA, varianceB, covariance] = [squareA[i] - ma * ma, squareB[i] - mb * mb, both[i] - ma * mb];
    sum += (2 * ma * mb + C1) * (2 * covariance + C2) /
      ((ma * ma + mb * mb + C1) * (varianceA + varianceB + C2));
  }
  return sum / both.length;
}

/** Weighted by the window, at the places where it fits: `[height − 10, width − 10]` */
function blurred(plane: ArrayLike<number>, width: number, height: number): Float64Array {
  const [columns, rows] = [width - WINDOW + 1, height - WINDOW + 1];
  const along = new Float64Array(height * columns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += KERNEL[k] * plane[y * width + x + k];
      along[y * columns + x] = sum;
    }
  }
  const out = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += KERNEL[k] * along[(y + k) * columns + x];
      out[y * columns + x] = sum;
    }
  }
  return out;
}

function wantSameShape(a: Tensor, b: Tensor): void {
  if (formatShape(a.shape) === formatShape(b.shape)) return;
  throw new RangeError(`Cannot compare ${formatShape(a.shape)} with ${formatShape(b.shape)}: one shape was wanted.`);
}
