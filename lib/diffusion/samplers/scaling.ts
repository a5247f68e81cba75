/** What a network, trained on √ᾱ·x0 + √(1 − ᾱ)·noise, is shown of a sampler's x. */

import type { Tensor } from "../../tensor/tensor.ts";

const f32 = Math.fround;

/** For x = x0 + σ·noise: c_in of Karras et al. 2022 (arXiv 2206.00364), table 1, column "VP". */
export function scaledByNoise(x: Tensor, sigma: number): Tensor {
  const root = f32(Math.sqrt(f32(f32(sigma * sigma) + 1)));
  return x.map((value) => value / root);
}

/** For samplers that hold x as the network was trained on it. */
export function unscaled(x: Tensor): Tensor {
  return x;
}
