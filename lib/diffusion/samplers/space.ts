/** The two spaces that x can live in, and how to get from one to the other. */

import type { Space } from "../contract.ts";
import { mapped } from "../../tensor/elementwise.ts";
import type { Tensor } from "../../tensor/tensor.ts";

const f32 = Math.fround;

/** √(σ² + 1), rounded where diffusers rounds. */
function norm(sigma: number): number {
  return f32(Math.sqrt(f32(f32(sigma * sigma) + 1)));
}

/** What the network is shown of x = x0 + σ·noise: c_in of Karras et al. 2022 (arXiv 2206.00364), table 1, "VP". */
export function scaledByNoise(x: Tensor, sigma: number): Tensor {
  return divided(x, norm(sigma));
}

function divided(x: Tensor, divisor: number): Tensor {
  return mapped(x, (out, x) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i] / divisor;
  });
}

/** Samplers that hold x as the network was trained on it show it as it is. */
export function unscaled(x: Tensor): Tensor {
  return x;
}

/**
 * The same latent in another sampler's space: a run that goes on with another sampler goes through here.
 * @param sigma the noise level that `x` has now; 0 when done, where both spaces meet
 */
export function inSpace(x: Tensor, from: Space, to: Space, sigma: number): Tensor {
  if (from === to) return x;
  return to === "preserving" ? divided(x, norm(sigma)) : x.times(norm(sigma));
}
