/**
 * Heun's method: an Euler step, then half a step back with the slope found there. Karras et al. 2022
 * (arXiv 2206.00364), algorithm 1; diffusers' HeunDiscreteScheduler. x = x0 + σ·noise.
 *
 * Each call of the network is a step of the run, as in diffusers: n noise levels take 2n − 1 steps, and each level but
 * the first stands twice in the schedule. Even steps go to the next level, odd ones correct what the even ones did.
 */

import type { Sampler } from "../contract.ts";
import { zipped } from "../../tensor/elementwise.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { mix } from "./mix.ts";
import { scaledByNoise } from "./space.ts";

const f32 = Math.fround;

/** dx/dσ at noise level σ, equation 3 of the paper. */
function slope(x: Tensor, x0: Tensor, sigma: number): Tensor {
  return zipped("find the slope at", x, x0, (out, x, x0) => {
    for (let i = 0; i < out.length; i++) out[i] = f32(x[i] - x0[i]) / sigma;
  });
}

/** x + d·dt, rounded where diffusers rounds. */
function along(x: Tensor, d: Tensor, dt: number): Tensor {
  return zipped("step from", x, d, (out, x, d) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i] + f32(d[i] * dt);
  });
}

export const heun: Sampler = {
  space: "exploding",
  draws: () => false,
  scaleInput: scaledByNoise,
  step({ x, index, schedule: { sigmas }, history }, x0) {
    if (index % 2 === 0) {
      const dt = f32(sigmas[index + 1] - sigmas[index]);
      const d = slope(x, x0, sigmas[index]);
      return { x: along(x, d, dt), history: [x, d] };
    }
    const [start, d] = history;
    if (d === undefined) {
      throw new RangeError(
        `Cannot take Heun's step ${index + 1}: it corrects the one before, which another sampler took. ` +
          `Change to heun after an even number of steps.`,
      );
    }
    const dt = f32(sigmas[index] - sigmas[index - 1]);
    const average = mix(0.5, d, 0.5, slope(x, x0, sigmas[index]));
    return { x: along(start, average, dt), history: [] };
  },
};
