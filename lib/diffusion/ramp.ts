/** Other ways to lay sigmas out between two ends: diffusers' `use_karras_sigmas` and its like. */

import type { Ramp } from "./contract.ts";
import { inverseBeta } from "./beta_distribution.ts";

/** ρ of Karras et al. 2022: how much more the low noise levels get. */
const RHO = 7;

/** Both shape parameters of Lee et al. 2024, "Beta Sampling is All You Need". */
const BETA_SHAPE = 0.6;

/** `steps` sigmas from `max` down to `min`; one step is `max` alone. */
export function ramped(ramp: Ramp, steps: number, max: number, min: number): number[] {
  const at = rampOf[ramp](max, min);
  return Array.from({ length: steps }, (_, i) => at(steps === 1 ? 0 : i / (steps - 1)));
}

/** σ by how far down the ramp, 0 … 1. */
const rampOf: Record<Ramp, (max: number, min: number) => (way: number) => number> = {
  /** Karras et al. 2022 (arXiv 2206.00364), equation 5. */
  karras: (max, min) => {
    const [from, to] = [max ** (1 / RHO), min ** (1 / RHO)];
    return (way) => (from + way * (to - from)) ** RHO;
  },
  /** Even steps of log σ: k-diffusion's exponential schedule. */
  exponential: (max, min) => (way) => Math.exp(Math.log(max) + way * (Math.log(min) - Math.log(max))),
  /** Lee et al. 2024 (arXiv 2407.12173): dense at both ends. */
  beta: (max, min) => (way) => min + inverseBeta(1 - way, BETA_SHAPE, BETA_SHAPE) * (max - min),
};
