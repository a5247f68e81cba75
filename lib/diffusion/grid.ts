/** Where the noise levels of a run lie, before its sampler's own habits at the ends. */

import { COMFY_SPACINGS, comfySigmas, type ComfySpacing, comfyStart, nearestTimestep } from "./comfy.ts";
import { type InitNoise, type Ramp, type SamplerName, type Spacing, TIMESTEP_SPACINGS } from "./contract.ts";
import { type NoiseLevels, noiseLevelsInDouble, sigmaAt, timestepAt } from "./noise_levels.ts";
import { ramped } from "./ramp.ts";
import { samplers } from "./samplers/mod.ts";
import type { SchedulerConfig } from "./scheduler_config.ts";
import { ALIGN_YOUR_STEPS, lcmSpacing, leading, linspace, roundHalfToEven, trailing } from "./spacing.ts";

const f32 = Math.fround;

export interface ScheduleOptions {
  /** Steps to take, from 1 to the training's timesteps. Not wanted where `timesteps` or `sigmas` are given. */
  readonly steps?: number;
  /** Which sampler will step over it; several lay their timesteps out in a way of their own. Default "euler". */
  readonly sampler?: SamplerName;
  /** Default: what the sampler was made for (lcm, tcd), else the model's own. */
  readonly spacing?: Spacing;
  /** Default: the model's own. */
  readonly ramp?: Ramp;
  /** The timesteps themselves, descending; in place of `spacing`. */
  readonly timesteps?: readonly number[];
  /** The noise levels themselves, descending to 0; in place of `spacing`. */
  readonly sigmas?: readonly number[];
  /**
   * Default: as the tool whose spacing it is. diffusers' trailing and linspace take "sigma", its leading
   * "unit-variance"; ComfyUI "unit-variance" on a full schedule, "sigma" on one that starts lower.
   */
  readonly initNoise?: InitNoise;
  /** TCD's: how far below the next level each step goes. */
  readonly eta?: number;
}

/** Where the levels lie before the sampler's own habits: without the last sigma, which they decide. */
export interface Grid {
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
  /** What unit normal noise is multiplied by, in the space of x0 + σ·noise. */
  readonly start: number;
  /** Whose way of starting that is. */
  readonly tool: "diffusers" | "comfyui";
  /** Where the last step lands, for levels that say so; else the sampler does. */
  readonly final?: 0;
}

/** @throws RangeError when so many steps cannot be had, or when given levels do not descend */
export function gridOf(
  config: SchedulerConfig,
  levels: NoiseLevels,
  options: ScheduleOptions & { sampler: SamplerName },
): Grid {
  const { sampler, timesteps, sigmas } = options;
  const ownSpacing = sampler === "lcm" || sampler === "tcd" ? "lcm" : config.spacing;
  const spacing = options.spacing ?? ownSpacing;
  wantRampable(options, spacing);
  if (sigmas !== undefined) {
    const given = descendingSigmas(sigmas);
    const told = given.map((sigma) => f32(timestepAt(levels.sigmas, sigma)));
    return { timesteps: told, sigmas: given, start: given[0], tool: "diffusers", final: 0 };
  }
  if (timesteps !== undefined) {
    return gridAt(descendingTimesteps(timesteps, config.trainTimesteps), levels, spacing);
  }
  const steps = wantSteps(options.steps, config.trainTimesteps);
  if (isComfy(spacing)) return comfyGrid(config, spacing, steps);
  if (spacing === "ays") return alignYourSteps(levels, steps);
  const grid = gridAt(timestepsOf(config, spacing, steps, sampler), levels, spacing);
  const ramp = options.ramp ?? config.ramp;
  return ramp !== undefined && canRamp(sampler, spacing) ? rampedGrid(grid, ramp, levels, sampler) : grid;
}

/** A ramp needs a sampler that steps from any level to any other, and diffusers' spacings for its ends. */
function canRamp(sampler: SamplerName, spacing: Spacing): boolean {
  return !["ddim", "lcm", "tcd"].includes(sampler) && TIMESTEP_SPACINGS.some((name) => name === spacing);
}

function wantRampable(
  { ramp, sampler, timesteps, sigmas }: ScheduleOptions & { sampler: SamplerName },
  spacing: Spacing,
): void {
  if (ramp === undefined || (canRamp(sampler, spacing) && timesteps === undefined && sigmas === undefined)) return;
  const what = timesteps ? "given timesteps" : sigmas ? "given sigmas" : `${sampler} on ${spacing} spacing`;
  throw new RangeError(
    `Cannot lay out the noise levels of ${what} by ${ramp}. It works with ` +
      `euler, euler-ancestral, heun, dpmpp-2m and dpmpp-2m-sde on ${TIMESTEP_SPACINGS.join(", ")} spacing.`,
  );
}

function timestepsOf(config: SchedulerConfig, spacing: Spacing, steps: number, sampler: SamplerName): number[] {
  const { trainTimesteps, stepsOffset } = config;
  const multistep = sampler === "dpmpp-2m" || sampler === "dpmpp-2m-sde";
  // DPM-Solver's spacings count the end of the last step as a point of its own, and drop it; whole timesteps only.
  const points = multistep && spacing !== "trailing" ? steps + 1 : steps;
  switch (spacing) {
    case "leading":
      return leading(points, stepsOffset, trainTimesteps).slice(0, steps);
    case "trailing":
      return trailing(steps, trainTimesteps);
    case "linspace": {
      const timesteps = linspace(points, trainTimesteps).slice(0, steps);
      return samplers[sampler].space === "preserving" ? timesteps.map(roundHalfToEven) : timesteps;
    }
    default:
      return lcmSpacing(steps, trainTimesteps);
  }
}

function gridAt(timesteps: readonly number[], levels: NoiseLevels, spacing: Spacing): Grid {
  const sigmas = timesteps.map((timestep) => f32(sigmaAt(levels.sigmas, timestep)));
  return { timesteps, sigmas, start: startOf(spacing, sigmas[0]), tool: "diffusers" };
}

/** Noise of unit variance on top of a picture of unit variance for `leading`; the others start from noise alone. */
function startOf(spacing: Spacing, sigmaMax: number): number {
  return spacing === "leading" ? f32(Math.sqrt(f32(f32(sigmaMax * sigmaMax) + 1))) : sigmaMax;
}

/** diffusers takes the ends from the spacing for Euler and Heun, from the whole table for DPM-Solver. */
function rampedGrid(
  { sigmas, timesteps, start, tool }: Grid,
  ramp: Ramp,
  levels: NoiseLevels,
  sampler: SamplerName,
): Grid {
  const table = levels.sigmas;
  const multistep = sampler === "dpmpp-2m" || sampler === "dpmpp-2m-sde";
  const [max, min] = multistep
    ? [table[table.length - 1], table[0]]
    : [sigmaAt(table, timesteps[0]), sigmaAt(table, timesteps[timesteps.length - 1])];
  const exact = ramped(ramp, sigmas.length, max, min);
  const told = exact.map((sigma) => timestepAt(table, sigma));
  const whole = ramp === "karras" ? roundHalfToEven : Math.trunc;
  return { sigmas: exact.map(f32), timesteps: told.map(multistep ? whole : f32), start, tool };
}

function comfyGrid(config: SchedulerConfig, spacing: ComfySpacing, steps: number): Grid {
  const levels = noiseLevelsInDouble(config);
  const sigmas = comfySigmas(spacing, steps, levels).map(f32);
  return {
    sigmas,
    timesteps: sigmas.map((sigma) => nearestTimestep(levels, sigma)),
    start: comfyStart(sigmas[0], levels),
    tool: "comfyui",
    final: 0,
  };
}

/** Ten steps as published; for other counts the authors interpolate log σ over their ten levels and the lowest. */
function alignYourSteps(levels: NoiseLevels, steps: number): Grid {
  const published = gridAt(ALIGN_YOUR_STEPS, levels, "ays");
  if (steps === ALIGN_YOUR_STEPS.length) return published;
  const logs = [...published.sigmas, levels.sigmas[0]].map(Math.log);
  const sigmas = Array.from({ length: steps }, (_, i) => {
    const place = i / steps * (logs.length - 1);
    const low = Math.floor(place);
    return f32(Math.exp(logs[low] + (logs[low + 1] - logs[low]) * (place - low)));
  });
  const timesteps = sigmas.map((sigma) => f32(timestepAt(levels.sigmas, sigma)));
  return { sigmas, timesteps, start: sigmas[0], tool: "diffusers" };
}

function isComfy(spacing: Spacing): spacing is ComfySpacing {
  return COMFY_SPACINGS.some((name) => name === spacing);
}

function wantSteps(steps: number | undefined, trainTimesteps: number): number {
  if (steps !== undefined && Number.isInteger(steps) && steps >= 1 && steps <= trainTimesteps) return steps;
  throw new RangeError(
    `Cannot make a schedule of ${steps} steps: wanted is a whole number from 1 to ${trainTimesteps}, ` +
      `the timesteps that the model was trained on.`,
  );
}

function descendingTimesteps(timesteps: readonly number[], trainTimesteps: number): readonly number[] {
  const descend = timesteps.every((t, i) => t >= 0 && t < trainTimesteps && (i === 0 || t < timesteps[i - 1]));
  if (descend && timesteps.length > 0) return timesteps;
  throw new RangeError(
    `Cannot run at timesteps [${timesteps}]: wanted are numbers below ${trainTimesteps} that descend to 0 or more.`,
  );
}

/** Without the final 0. */
function descendingSigmas(sigmas: readonly number[]): number[] {
  const descend = sigmas.every((sigma, i) => Number.isFinite(sigma) && (i === 0 || sigma < sigmas[i - 1]));
  if (descend && sigmas.length > 1 && sigmas[sigmas.length - 1] === 0) return sigmas.slice(0, -1).map(f32);
  throw new RangeError(`Cannot run at sigmas [${sigmas}]: wanted are at least two numbers that descend and end in 0.`);
}
