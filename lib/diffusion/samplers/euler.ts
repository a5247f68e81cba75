/** Euler's method on the probability flow: Karras et al. 2022 (arXiv 2206.00364), algorithm 1 without its correction. */

import type { Sampler } from "../contract.ts";
import { scaledByNoise } from "./scaling.ts";

const f32 = Math.fround;

export const euler: Sampler = {
  space: "exploding",
  draws: () => false,
  scaleInput: scaledByNoise,
  step({ x, index, schedule: { sigmas } }, x0) {
    const [sigma, sigmaNext] = [sigmas[index], sigmas[index + 1]];
    const dt = f32(sigmaNext - sigma);
    return { x: x.zip(x0, "step from", (x, x0) => x + f32(f32(f32(x - x0) / sigma) * dt)), history: [] };
  },
};
