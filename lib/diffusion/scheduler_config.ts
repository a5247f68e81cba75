/** What a checkpoint's `scheduler/scheduler_config.json` says about how it was trained and wants to be run. */

import type { Prediction, Ramp, SamplerName, TimestepSpacing } from "./contract.ts";

export interface SchedulerConfig {
  readonly sampler: SamplerName;
  readonly prediction: Prediction;
  readonly spacing: TimestepSpacing;
  /** How sigmas are laid out between the first and the last of the spacing; undefined: as the spacing gives them. */
  readonly ramp?: Ramp;
  /** Added to every timestep of the spacing `leading`: SDXL's 1 keeps its lowest timestep off 0. */
  readonly stepsOffset: number;
  readonly trainTimesteps: number;
  readonly betaSchedule: "linear" | "scaled_linear" | "squaredcos_cap_v2";
  readonly betaStart: number;
  readonly betaEnd: number;
  /** Betas given one by one, in place of the schedule. */
  readonly trainedBetas?: readonly number[];
  readonly rescaleBetasZeroSnr: boolean;
  /** Where the last step lands: on a finished picture, or on the lowest level of the training. */
  readonly finalSigma: "zero" | "sigma-min";
  /** Whether DDIM's and LCM's last step lands on ᾱ = 1; SDXL's file says false, which means ᾱ of timestep 0. */
  readonly setAlphaToOne: boolean;
}

/** stabilityai/stable-diffusion-xl-base-1.0's own file; what a single-file checkpoint, which holds none, is run with. */
export const SDXL_SCHEDULER: SchedulerConfig = {
  sampler: "euler",
  prediction: "epsilon",
  spacing: "leading",
  stepsOffset: 1,
  trainTimesteps: 1000,
  betaSchedule: "scaled_linear",
  betaStart: 0.00085,
  betaEnd: 0.012,
  rescaleBetasZeroSnr: false,
  finalSigma: "zero",
  setAlphaToOne: false,
};
