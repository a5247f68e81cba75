/** Samplers of consistency models: jump to x0, then noise the way back up. x = √ᾱ·x0 + √(1 − ᾱ)·noise. */

import type { Sampler, SamplerState } from "../contract.ts";
import { alphaSigma, epsilonOf } from "../prediction.ts";
import { mix, renoised } from "./mix.ts";
import { unscaled } from "./space.ts";

/** The data's standard deviation and the stretch of time in LCM's boundary condition, as LCM was trained. */
const SIGMA_DATA = 0.5;
const TIME_SCALE = 10;

function isLast({ index, schedule }: SamplerState): boolean {
  return index === schedule.timesteps.length - 1;
}

/** Luo et al. 2023 (arXiv 2310.04378), algorithm 3; diffusers' LCMScheduler. */
export const lcm: Sampler = {
  space: "preserving",
  draws: (state) => !isLast(state),
  scaleInput: unscaled,
  /** The consistency function f = c_skip·x + c_out·x0, which is x itself at time 0: equation 9. */
  refine({ x, index, schedule: { timesteps } }, x0) {
    const s = timesteps[index] * TIME_SCALE;
    const cSkip = SIGMA_DATA ** 2 / (s ** 2 + SIGMA_DATA ** 2);
    const cOut = s / Math.sqrt(s ** 2 + SIGMA_DATA ** 2);
    return mix(cOut, x0, cSkip, x);
  },
  step(state, denoised, noise) {
    if (isLast(state)) return { x: denoised, history: [] };
    const { alpha, sigmaT } = alphaSigma(state.schedule.sigmas[state.index + 1]);
    return { x: renoised(denoised.times(alpha), sigmaT, noise), history: [] };
  },
};

/** diffusers' η, which the authors' pages use throughout for few steps. */
const TCD_ETA = 0.3;

/**
 * Zheng et al. 2024 (arXiv 2402.19159), algorithm 4; diffusers' TCDScheduler. η (γ in the paper) from 0, no noise, to
 * 1: each step goes down to the time s = ⌊(1 − η)·t_next⌋, which the schedule's landings hold, and back up to t_next.
 */
export const tcd: Sampler = {
  space: "preserving",
  draws: (state) => (state.eta ?? TCD_ETA) > 0 && !isLast(state),
  scaleInput: unscaled,
  step(state, x0, noise) {
    const { x, index, schedule: { sigmas, landings } } = state;
    const s = alphaSigma(landings?.[index] ?? sigmas[index + 1]);
    const next = alphaSigma(sigmas[index + 1]);
    const xS = mix(s.alpha, x0, s.sigmaT, epsilonOf("preserving", x, sigmas[index], x0));
    if (!tcd.draws(state)) return { x: xS, history: [] };
    const ratio = next.alpha / s.alpha;
    return { x: renoised(xS.times(ratio), Math.sqrt(Math.max(0, 1 - ratio ** 2)), noise), history: [] };
  },
};
