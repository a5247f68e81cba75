/** Euler's method on the probability flow, plain and ancestral. x = x0 + σ·noise. */

import type { Sampler } from "../contract.ts";
import { zipped } from "../../tensor/elementwise.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { renoised } from "./mix.ts";
import { scaledByNoise } from "./space.ts";

const f32 = Math.fround;

/** x + dx/dσ·(to − σ), rounded where diffusers rounds. */
function towards(x: Tensor, x0: Tensor, sigma: number, to: number): Tensor {
  const dt = f32(to - sigma);
  return zipped("step from", x, x0, (out, x, x0) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i] + f32(f32(f32(x[i] - x0[i]) / sigma) * dt);
  });
}

/** Karras et al. 2022 (arXiv 2206.00364), algorithm 1 without its correction; diffusers' EulerDiscreteScheduler. */
export const euler: Sampler = {
  space: "exploding",
  draws: () => false,
  scaleInput: scaledByNoise,
  step({ x, index, schedule: { sigmas } }, x0) {
    return { x: towards(x, x0, sigmas[index], sigmas[index + 1]), history: [] };
  },
};

/**
 * Each step goes further down than asked and puts fresh noise back: `up² + down² = sigmaNext²`.
 * k-diffusion's ancestral step, in diffusers EulerAncestralDiscreteScheduler; Song et al. 2020 (arXiv 2010.02502),
 * equation 16 with η = 1, in terms of σ.
 */
export const eulerAncestral: Sampler = {
  space: "exploding",
  draws: () => true, // on the last step too, times 0, as diffusers does
  scaleInput: scaledByNoise,
  step({ x, index, schedule: { sigmas } }, x0, noise) {
    const [sigma, sigmaNext] = [sigmas[index], sigmas[index + 1]];
    const up = sigmaNext * Math.sqrt(1 - (sigmaNext / sigma) ** 2);
    const down = sigmaNext ** 2 / sigma; // √(sigmaNext² − up²)
    return { x: renoised(towards(x, x0, sigma, down), up, noise), history: [] };
  },
};
