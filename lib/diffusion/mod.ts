/** The mathematics of few steps. Pure: no I/O, no ONNX. */

import type { Tensor } from "../tensor/tensor.ts";

/** What the network's output means: the noise, the velocity (arXiv 2202.00512), or the finished picture. */
export type Prediction = "epsilon" | "v" | "sample";

/** How the timesteps are picked from the 1,000 of the training. */
export type Spacing = "leading" | "trailing";

export type SamplerName = "euler";

/** Descending noise levels and the timesteps that the network is told. */
export interface Schedule {
  /** `[n]`, descending, of the 1,000 of the training; fractional in some spacings. */
  readonly timesteps: readonly number[];
  /** `[n + 1]`, descending, ends in 0. */
  readonly sigmas: readonly number[];
  /** What unit normal noise is multiplied by to become the first latent: diffusers' `init_noise_sigma`. */
  readonly initNoiseSigma: number;
}

/** Where a run stands, in the papers' letters. */
export interface SamplerState {
  readonly x: Tensor;
  readonly index: number;
  readonly schedule: Schedule;
  readonly history: readonly Tensor[];
}

export interface Sampler {
  /** Whether a step wants fresh unit normal noise of `x`'s shape. */
  draws(state: SamplerState): boolean;
  /** What the network is shown in place of x: `x/√(σ² + 1)` for samplers that work on x0 + σ·noise. */
  scaleInput(x: Tensor, sigma: number): Tensor;
  /** One step towards less noise. A pure function. */
  step(
    state: SamplerState,
    denoised: Tensor,
    noise?: Tensor,
  ): { readonly x: Tensor; readonly history: readonly Tensor[] };
}

/** A request made definite: recipe and overrides resolved and guarded. */
export interface Trajectory {
  readonly recipe: string;
  readonly sampler: SamplerName;
  readonly prediction: Prediction;
  readonly schedule: Schedule;
  /** Above 1, classifier-free guidance runs; 0 and 1 mean none. */
  readonly guidance: number;
}
