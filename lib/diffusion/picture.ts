/** Starts from a picture in place of pure noise, and keeps parts of it. */

import type { Schedule, Space } from "./contract.ts";
import { alphaSigma } from "./prediction.ts";
import { mix } from "./samplers/mix.ts";
import type { Tensor } from "../tensor/tensor.ts";

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
