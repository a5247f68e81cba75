/**
 * Metrics in a CLIP's space, all made of cosines.
 *
 * - Prompt score: 100·cos(picture, prompt), as torchmetrics counts CLIPScore (Hessel et al. 2021, arXiv 2104.08718,
 *   equation 1, with w = 100), not clamped at 0.
 * - Retrieval: whether the own caption is the nearest of N, CLIP's zero-shot accuracy (Radford et al. 2021, arXiv
 *   2103.00020, section 3.1); chance is 1/N.
 * - Perceptual distance: 1 − cos(picture, reference), in the place of LPIPS (Zhang et al. 2018, arXiv 1801.03924) with
 *   CLIP's last layer for the features.
 * - Diversity: the mean perceptual distance of all pairs, for pictures of one prompt from several seeds.
 */

import { formatShape, type Tensor } from "../../tensor/tensor.ts";

/** The cosine of two vectors, in double. @throws RangeError where one is zero or their lengths differ */
export function cosine(a: Tensor, b: Tensor): number {
  if (a.data.length !== b.data.length) {
    throw new RangeError(`Cannot compare features ${formatShape(a.shape)} and ${formatShape(b.shape)}.`);
  }
  let [product, first, second] = [0, 0, 0];
  for (let i = 0; i < a.data.length; i++) {
    product += a.data[i] * b.data[i];
    first += a.data[i] ** 2;
    second += b.data[i] ** 2;
  }
  if (first === 0 || second === 0) throw new RangeError("Cannot take the cosine of a vector of zeros.");
  return product / Math.sqrt(first * second);
}

/** 100·cosine of a picture's and a prompt's features, −100 … 100. */
export function promptScore(picture: Tensor, prompt: Tensor): number {
  return 100 * cosine(picture, prompt);
}

/** Whether caption `own` is nearer to the picture than every other. A tie is no find. */
export function retrieves(picture: Tensor, captions: readonly Tensor[], own: number): boolean {
  const scores = captions.map((caption) => cosine(picture, caption));
  return scores.every((score, index) => index === own || score < scores[own]);
}

/** 0 for the same direction, 2 for the opposite. */
export function perceptualDistance(a: Tensor, b: Tensor): number {
  return 1 - cosine(a, b);
}

/** The mean perceptual distance of all pairs. @throws RangeError for fewer than two */
export function diversity(pictures: readonly Tensor[]): number {
  const pairs = pictures.flatMap((a, index) => pictures.slice(index + 1).map((b) => perceptualDistance(a, b)));
  if (pairs.length === 0) {
    throw new RangeError(`Cannot tell the diversity of ${pictures.length} pictures: at least two were wanted.`);
  }
  return pairs.reduce((sum, distance) => sum + distance, 0) / pairs.length;
}
