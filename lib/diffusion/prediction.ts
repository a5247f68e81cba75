/**
 * What the network says becomes x0, its guess of the finished picture, so that samplers need not know what it was
 * trained to predict. Salimans and Ho 2022 (arXiv 2202.00512), appendix D; written for both spaces that x can live in.
 */

import type { Prediction, Sampler, SamplerState, Space } from "./contract.ts";
import type { Tensor } from "../tensor/tensor.ts";

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
    return prediction === "epsilon"
      ? x.zip(output, "denoise", (x, epsilon) => f32(x - f32(sigmaT * epsilon)) / alpha)
      : x.zip(output, "denoise", (x, v) => f32(alpha * x) - f32(sigmaT * v));
  }
  const sigma2 = f32(f32(sigma * sigma) + 1);
  const cOut = -sigma / Math.sqrt(sigma2);
  return prediction === "epsilon"
    ? x.zip(output, "denoise", (x, epsilon) => x - f32(sigma * epsilon))
    : x.zip(output, "denoise", (x, v) => f32(v * cOut) + f32(x / sigma2));
}

/** ε from x and x0, the other way round: what `x0Of` would be given. */
export function epsilonOf(space: Space, x: Tensor, sigma: number, x0: Tensor): Tensor {
  if (space === "exploding") return x.zip(x0, "find the noise of", (x, x0) => (x - x0) / sigma);
  const { alpha, sigmaT } = alphaSigma(sigma);
  return x.zip(x0, "find the noise of", (x, x0) => (x - alpha * x0) / sigmaT);
}

/** v from x and x0. */
export function velocityOf(space: Space, x: Tensor, sigma: number, x0: Tensor): Tensor {
  const { alpha, sigmaT } = alphaSigma(sigma);
  const epsilon = epsilonOf(space, x, sigma, x0);
  return epsilon.zip(x0, "find the velocity of", (epsilon, x0) => alpha * epsilon - sigmaT * x0);
}

/** √ᾱ and √(1 − ᾱ) of a noise level: α² + σ_t² = 1 and σ = σ_t/α. */
export function alphaSigma(sigma: number): { readonly alpha: number; readonly sigmaT: number } {
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { alpha, sigmaT: sigma * alpha };
}
