/**
 * Heun's method: an Euler step, then half a step back with the slope found there. Karras et al. 2022
 * (arXiv 2206.00364), algorithm 1; diffusers' HeunDiscreteScheduler. x = x0 + σ·noise.
 *
 * Each call of the network is a step of the run, as in diffusers: n noise levels take 2n − 1 steps, and each level but
 * the first stands twice in the schedule. Even steps go to the next level, odd ones correct what the even ones did.
 */

import type { Sampler } from "../contract.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { scaledByNoise } from "./space.ts";

const f32 = Math.fround;

/** dx/dσ at noise level σ, equation 3 of the paper. */
function slope(x: Tensor, x0: Tensor, sigma: number): Tensor {
  return x.zip(x0, "find the slope at", (x, x0) => f32(x - x0) / sigma);
}

export const heun: Sampler = {
  space: "exploding",
  draws: () => false,
  scaleInput: scaledByNoise,
  step({ x, index, schedule: { sigmas }, history }, x0) {
    if (index % 2 === 0) {
      const dt = f32(sigmas[index + 1] - sigmas[index]);
      const d = slope(x, x0, sigmas[index]);
      return { x: x.zip(d, "step from", (x, d) => x + f32(d * dt)), history: [x, d] };
    }
    const [start, d] = history;
    if (d === undefined) {
      throw new RangeError(
        `Cannot take Heun's step ${index + 1}: it corrects the one before, which another sampler took. ` +
          `Change to heun after an even number of steps.`,
      );
    }
    const dt = f32(sigmas[index] - sigmas[index - 1]);
    const average = d.zip(slope(x, x0, sigmas[index]), "average", (d, dNext) => f32(d + dNext) / 2);
    return { x: start.zip(average, "step from", (x, d) => x + f32(d * dt)), history: [] };
  },
};
