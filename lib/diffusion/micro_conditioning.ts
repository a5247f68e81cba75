/**
 * What SDXL is told of the picture besides the prompt: Podell et al. 2023 (arXiv 2307.01952), section 2.2.
 * A small original size gives blur on purpose, a crop away from 0 a subject that is cut off.
 */

import { Tensor } from "../tensor/tensor.ts";

/** What SDXL is told of sizes and crop beside the prompt (arXiv 2307.01952, section 2.2). */
export interface MicroConditioning {
  /** Pixels of the training picture before it was scaled. Default: the size that is drawn. */
  readonly originalSize?: { readonly width: number; readonly height: number };
  /** Where the training picture was cut. Default 0, 0: subjects stand in the middle. */
  readonly crop?: { readonly top: number; readonly left: number };
  /** Default: the size that is drawn. */
  readonly targetSize?: { readonly width: number; readonly height: number };
}

/** `time_ids`, `[1, 6]`: original height and width, crop from top and left, target height and width. */
export function timeIds(
  size: { readonly width: number; readonly height: number },
  { originalSize = size, crop = { top: 0, left: 0 }, targetSize = size }: MicroConditioning = {},
): Tensor {
  const values = [originalSize.height, originalSize.width, crop.top, crop.left, targetSize.height, targetSize.width];
  return Tensor.of(values, [1, 6]);
}
