/** A spacing becomes a schedule: timesteps for the network, sigmas for the sampler. */

import type { Schedule, Spacing } from "./contract.ts";
import { noiseLevels, sigmaAt } from "./noise_levels.ts";
import type { SchedulerConfig } from "./scheduler_config.ts";
import { leading, linspace, trailing } from "./spacing.ts";

const f32 = Math.fround;

export interface ScheduleOptions {
  /** Steps to take, from 1 to the training's timesteps. */
  readonly steps: number;
  /** Default: the model's own. */
  readonly spacing?: Spacing;
}

/** @throws RangeError when so many steps cannot be had */
export function scheduleOf(config: SchedulerConfig, options: ScheduleOptions): Schedule {
  const { steps, spacing = config.spacing } = options;
  checkSteps(steps, config.trainTimesteps);
  const levels = noiseLevels(config);
  const timesteps = timestepsOf(config, spacing, steps);
  const last = config.finalSigma === "sigma-min" ? levels.sigmas[0] : 0;
  const sigmas = [...timesteps.map((timestep) => f32(sigmaAt(levels.sigmas, timestep))), last];
  return { timesteps, sigmas, initNoiseSigma: initNoiseSigma(spacing, sigmas[0]) };
}

function checkSteps(steps: number, trainTimesteps: number): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= trainTimesteps) return;
  throw new RangeError(
    `Cannot make a schedule of ${steps} steps: wanted is a whole number from 1 to ${trainTimesteps}, ` +
      `the timesteps that the model was trained on.`,
  );
}

function timestepsOf(config: SchedulerConfig, spacing: Spacing, steps: number): number[] {
  switch (spacing) {
    case "leading":
      return leading(steps, config.stepsOffset, config.trainTimesteps);
    case "trailing":
      return trailing(steps, config.trainTimesteps);
    case "linspace":
      return linspace(steps, config.trainTimesteps);
  }
}

/** Noise of unit variance on top of a picture of unit variance for `leading`; the others start from noise alone. */
function initNoiseSigma(spacing: Spacing, sigmaMax: number): number {
  return spacing === "leading" ? f32(Math.sqrt(f32(f32(sigmaMax * sigmaMax) + 1))) : sigmaMax;
}
