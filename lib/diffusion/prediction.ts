/**
 * What the network says becomes x0, its guess of the finished picture, so that samplers need not know what it was
 * trained to predict. Salimans and Ho 2022 (arXiv 2202.00512), appendix D; written for both spaces that x can live in.
 */

import type { Prediction, Sampler, SamplerState, Space } from "./contract.ts";
import { zipped } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { mix } from "./samplers/mix.ts";

const f32 = Math.fround;

/**
 * x0 from the network's output, as the sampler takes it.
 * @param output the network's output after guidance, of x's shape
 */
export function denoised(sampler: Sampler, prediction: Prediction, state: SamplerState, output: Tensor): Tensor {
  const x0 = x0Of(prediction, sampler.space, state.x, state.schedule.sigmas[state.index], output);
  return sampler.refine?.(state, x0) ?? x0;
}

/** x0 of `x` at noise level σ. Each product is rounded to float32 as diffusers' is. */
export function x0Of(prediction: Prediction, space: Space, x: Tensor, sigma: number, output: Tensor): Tensor {
  if (prediction === "sample") return output;
  const { alpha, sigmaT } = alphaSigma(sigma);
  if (space === "preserving") {
    return zipped("denoise", x, output, (out, x, output) => {
      if (prediction === "epsilon") {
        for (let i = 0; i < out.length; i++) out[i] = f32(x[i] - f32(sigmaT * output[i])) / alpha;
      } else {
        for (let i = 0; i < out.length; i++) out[i] = f32(alpha * x[i]) - f32(sigmaT * output[i]);
      }
    });
  }
  const norm2 = f32(f32(sigma * sigma) + 1);
  const cOut = -sigma / Math.sqrt(norm2);
  return zipped("denoise", x, output, (out, x, output) => {
    if (prediction === "epsilon") {
      for (let i = 0; i < out.length; i++) out[i] = x[i] - f32(sigma * output[i]);
    } else {
      for (let i = 0; i < out.length; i++) out[i] = f32(output[i] * cOut) + f32(x[i] / norm2);
    }
  });
}

/** ε from x and x0, the other way round: what `x0Of` would be given. */
export function epsilonOf(space: Space, x: Tensor, sigma: number, x0: Tensor): Tensor {
  const [alpha, sigmaT] = space === "exploding" ? [1, sigma] : [alphaSigma(sigma).alpha, alphaSigma(sigma).sigmaT];
  return zipped("find the noise of", x, x0, (out, x, x0) => {
    for (let i = 0; i < out.length; i++) out[i] = (x[i] - alpha * x0[i]) / sigmaT;
  });
}

/** v from x and x0. */
export function velocityOf(space: Space, x: Tensor, sigma: number, x0: Tensor): Tensor {
  const { alpha, sigmaT } = alphaSigma(sigma);
  return mix(alpha, epsilonOf(space, x, sigma, x0), -sigmaT, x0);
}

/** √ᾱ and √(1 − ᾱ) of a noise level: α² + σ_t² = 1 and σ = σ_t/α. */
export function alphaSigma(sigma: number): { readonly alpha: number; readonly sigmaT: number } {
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { alpha, sigmaT: sigma * alpha };
}
