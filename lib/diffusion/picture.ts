/** Starts from a picture in place of pure noise, and keeps parts of it. */

import type { Schedule, Space } from "./contract.ts";
import { alphaSigma } from "./prediction.ts";
import { mix } from "./samplers/mix.ts";
import { formatShape, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";

/**
 * A clean latent with the noise of a schedule's step: where a run from a picture starts. SDEdit, Meng et al. 2021
 * (arXiv 2108.01073); diffusers' `add_noise`.
 * @param latent x0, `[batch, 4, height/8, width/8]`, in the VAE's scaled latent space
 * @param noise unit normal, same shape
 * @param index the step whose level is wanted. Default 0, the first of a schedule that `strength` has shortened
 */
export function noised(latent: Tensor, noise: Tensor, space: Space, { sigmas }: Schedule, index = 0): Tensor {
  const { alpha, sigmaT } = alphaSigma(sigmas[index]);
  return space === "exploding" ? mix(1, latent, sigmas[index], noise) : mix(alpha, latent, sigmaT, noise);
}

/**
 * Inpainting with any model: after each step, all but the masked part goes back to the original at the step's noise.
 * Diffusers' StableDiffusionXLInpaintPipeline with a U-Net of 4 channels.
 * @param x what the sampler made, at level `sigmas[index]`
 * @param original the picture's clean latent, same shape
 * @param noise the noise that the run began with, same shape
 * @param mask 1 where the picture is drawn anew, 0 where it is kept; same shape
 * @param index of the level that `x` has now; at the end of the schedule the original comes back clean
 */
export function inpainted(
  x: Tensor,
  { original, noise, mask }: { readonly original: Tensor; readonly noise: Tensor; readonly mask: Tensor },
  space: Space,
  schedule: Schedule,
  index: number,
): Tensor {
  const kept = index < schedule.timesteps.length ? noised(original, noise, space, schedule, index) : original;
  const drawn = x.zip(mask, "mask", (x, mask) => x * mask);
  return drawn.plus(kept.zip(mask, "mask", (kept, mask) => kept * (1 - mask)));
}

/** ITU-R BT.601's luma, by which PIL turns colours grey. */
const LUMA = [0.299, 0.587, 0.114] as const;

/**
 * A mask as inpainting wants it: 1 where the picture is drawn anew, 0 where it is kept. As diffusers does: grey, cut at
 * one half, and of each latent cell the pixel at its top left.
 *
 * @param mask white where the picture is drawn anew, `[1 or batch, 1 or 3, height, width]` in 0..1
 * @param shape of the latents, `[batch, 4, height/8, width/8]`
 * @returns of that shape
 * @throws RangeError for a mask of another size, or of another number of pictures
 */
export function latentMask(mask: Tensor, shape: Shape): Tensor {
  const [rows = 0, colours = 0, height = 0, width = 0] = mask.shape;
  const [batch, channels, down, across] = shape;
  const unit = Math.floor(height / down);
  const fits = mask.shape.length === 4 && (rows === 1 || rows === batch) && (colours === 1 || colours === 3) &&
    unit >= 1 && height === unit * down && width === unit * across;
  if (!fits) {
    throw new RangeError(
      `Cannot mask with ${formatShape(mask.shape)}: wanted is a picture as large as the image, ` +
        `[1 or ${batch}, 1 or 3, height, width].`,
    );
  }
  const area = height * width;
  const greyAt = (row: number, place: number): number => {
    const at = row * colours * area + place;
    if (colours === 1) return mask.data[at];
    return LUMA.reduce((sum, weight, colour) => sum + weight * mask.data[at + colour * area], 0);
  };
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [i % across, Math.floor(i / across) % down];
    const row = rows === 1 ? 0 : Math.floor(i / (channels * down * across));
    data[i] = greyAt(row, y * unit * width + x * unit) >= 0.5 ? 1 : 0;
  }
  return new Tensor(data, shape);
}
