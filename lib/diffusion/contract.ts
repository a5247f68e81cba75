/** What schedules, samplers, guidance and recipes say to each other, and to a model. */

import type { Tensor } from "../tensor/tensor.ts";

/** What the network's output means: the noise, the velocity (arXiv 2202.00512), or the finished picture. */
export const PREDICTIONS = ["epsilon", "v", "sample"] as const;
/** What the network's output means: the noise, the velocity (arXiv 2202.00512), or the finished picture. */
export type Prediction = typeof PREDICTIONS[number];

/** diffusers' three ways to pick timesteps from the 1,000 of the training (arXiv 2305.08891, table 2). */
export const TIMESTEP_SPACINGS = ["leading", "trailing", "linspace"] as const;
export type TimestepSpacing = typeof TIMESTEP_SPACINGS[number];

/**
 * How the timesteps are picked from the 1,000 of the training: diffusers' three; what LCM and TCD were distilled on; the
 * ten of Align Your Steps (arXiv 2404.14507); and ComfyUI's schedulers by their names there.
 */
export const SPACINGS = [
  ...TIMESTEP_SPACINGS,
  "lcm",
  "ays",
  "sgm-uniform",
  "normal",
  "simple",
  "ddim-uniform",
  "comfy-karras",
  "sd-turbo",
] as const;
/** A way to pick timesteps: see `SPACINGS`. */
export type Spacing = typeof SPACINGS[number];

/** diffusers' ways to lay out sigmas anew between the first and the last that the spacing gave. */
export const RAMPS = ["karras", "exponential", "beta"] as const;
/** A way to lay out sigmas anew: see `RAMPS`. */
export type Ramp = typeof RAMPS[number];

/**
 * What unit noise is multiplied by to begin with: σ of the first level, or √(σ² + 1), as though a picture of unit
 * variance lay beneath it.
 */
export const INIT_NOISES = ["sigma", "unit-variance"] as const;
/** What unit noise is multiplied by to begin with: see `INIT_NOISES`. */
export type InitNoise = typeof INIT_NOISES[number];

/** Ways to take a step; docs/samplers.md tells them apart. */
export const SAMPLER_NAMES = [
  "euler",
  "euler-ancestral",
  "heun",
  "ddim",
  "dpmpp-2m",
  "dpmpp-2m-sde",
  "lcm",
  "tcd",
] as const;
/** A way to take a step: see `SAMPLER_NAMES`. */
export type SamplerName = typeof SAMPLER_NAMES[number];

/**
 * What x is made of. Variance exploding: x0 + σ·noise. Variance preserving: √ᾱ·x0 + √(1 − ᾱ)·noise, the same
 * divided by √(σ² + 1), which is what the networks were trained on.
 */
export type Space = "exploding" | "preserving";

/** Descending noise levels and the timesteps that the network is told. */
export interface Schedule {
  /** `[n]`, descending, of the 1,000 of the training; fractional in some spacings. */
  readonly timesteps: readonly number[];
  /** `[n + 1]`, descending (Heun's hold each level twice); ends in 0, or in the lowest level of the training where the sampler or the model says so. */
  readonly sigmas: readonly number[];
  /** What unit normal noise is multiplied by to become the first latent: diffusers' `init_noise_sigma`. */
  readonly initNoiseSigma: number;
  /**
   * `[n]`, the noise level to which the deterministic part of each step goes, for samplers that aim elsewhere than at
   * the next of `sigmas`: DDIM at t − 1000 div n, TCD below it, to come back up with noise.
   */
  readonly landings?: readonly number[];
}

/** Where a run stands, in the papers' letters. */
export interface SamplerState {
  readonly x: Tensor;
  readonly index: number;
  readonly schedule: Schedule;
  readonly history: readonly Tensor[];
  /** How much noise comes back, for samplers with a choice. Default: the sampler's own. */
  readonly eta?: number;
}

export interface Sampler {
  readonly space: Space;
  /** Whether a step wants fresh unit normal noise of `x`'s shape. */
  draws(state: SamplerState): boolean;
  /** What the network is shown in place of x: `x/√(σ² + 1)` for samplers that work on x0 + σ·noise. */
  scaleInput(x: Tensor, sigma: number): Tensor;
  /** What this sampler takes for the finished picture, given the network's x0. Left out: x0 itself. */
  refine?(state: SamplerState, x0: Tensor): Tensor;
  /** One step towards less noise. A pure function. */
  step(
    state: SamplerState,
    denoised: Tensor,
    noise?: Tensor,
  ): { readonly x: Tensor; readonly history: readonly Tensor[] };
}

/** A request made definite: recipe and overrides resolved and guarded. */
export interface Trajectory {
  /** A name in `recipes`; "base" where the request named none. */
  readonly recipe: string;
  /** The request's, else the recipe's, else the checkpoint's own. */
  readonly sampler: SamplerName;
  /** How the network's output is read, resolved as the sampler is. */
  readonly prediction: Prediction;
  /** The levels of the steps that are taken: with `strength`, only the last share of them. */
  readonly schedule: Schedule;
  /** Above 1, classifier-free guidance runs; 0 and 1 mean none. */
  readonly guidance: number;
  /** The scale that the U-Net itself takes as an input, where it was distilled so; `guidance` is 0 then. */
  readonly embeddedGuidance?: number;
  /** How much of the contrast that guidance adds is taken back, 0 … 1. Left out: nothing. */
  readonly guidanceRescale?: number;
  /** Noise levels between which guidance runs. Left out: all. */
  readonly guidanceInterval?: { readonly from: number; readonly to: number };
  /** How much noise comes back, for samplers with a choice. Left out: the sampler's own. */
  readonly eta?: number;
}
