/** Denoising diffusion implicit models: Song et al. 2020 (arXiv 2010.02502); diffusers' DDIMScheduler. x = √ᾱ·x0 + √(1 − ᾱ)·ε. */

import type { Sampler } from "../contract.ts";
import { alphaSigma, epsilonOf } from "../prediction.ts";
import { mix, renoised } from "./mix.ts";
import { unscaled } from "./space.ts";

/** Equation 12, with σ_t(η) of equation 16. η from 0, no noise, to 1, as much as DDPM. Default 0. */
export const ddim: Sampler = {
  space: "preserving",
  draws: ({ eta = 0 }) => eta > 0,
  scaleInput: unscaled,
  step({ x, index, schedule: { sigmas, landings }, eta = 0 }, x0, noise) {
    const from = alphaSigma(sigmas[index]);
    const to = alphaSigma(landings?.[index] ?? sigmas[index + 1]);
    const epsilon = epsilonOf("preserving", x, sigmas[index], x0);
    const std = eta * to.sigmaT / from.sigmaT * Math.sqrt(Math.max(0, 1 - (from.alpha / to.alpha) ** 2));
    const direction = Math.sqrt(Math.max(0, to.sigmaT ** 2 - std ** 2));
    return { x: renoised(mix(to.alpha, x0, direction, epsilon), std, noise), history: [] };
  },
};
