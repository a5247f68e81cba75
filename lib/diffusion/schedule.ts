/** A spacing becomes a schedule: timesteps for the network, sigmas for the sampler. */

import type { InitNoise, SamplerName, Schedule, Spacing } from "./contract.ts";
import { type Grid, gridOf, type ScheduleOptions } from "./grid.ts";
import { type NoiseLevels, noiseLevels, sigmaAt } from "./noise_levels.ts";
import { samplers } from "./samplers/mod.ts";
import type { SchedulerConfig } from "./scheduler_config.ts";

export type { ScheduleOptions };

const f32 = Math.fround;

/** @throws RangeError when so many steps cannot be had, or when given levels do not descend */
export function scheduleOf(config: SchedulerConfig, options: ScheduleOptions): Schedule {
  const { sampler = "euler", eta } = options;
  const levels = noiseLevels(config);
  const grid = gridOf(config, levels, { ...options, sampler });
  const { timesteps, sigmas, final = finalSigma(config, sampler, levels) } = grid;
  const schedule = {
    timesteps,
    sigmas: [...sigmas, final],
    initNoiseSigma: initNoiseSigma(grid, sampler, options.initNoise),
  };
  if (sampler === "heun") return twiceEach(schedule);
  if (sampler === "tcd") return { ...schedule, landings: landingsOfTcd(timesteps, levels, eta) };
  if (
    sampler === "ddim" && isTimestepSpacing(options.spacing ?? config.spacing) && !options.timesteps && !options.sigmas
  ) {
    return { ...schedule, landings: landingsOfDdim(timesteps, levels, final) };
  }
  return schedule;
}

/** In the sampler's own space. diffusers' samplers that mix picture and noise start from the noise itself, wherever. */
function initNoiseSigma({ sigmas: [sigma], start, tool }: Grid, sampler: SamplerName, asked?: InitNoise): number {
  const root = f32(Math.sqrt(f32(f32(sigma * sigma) + 1)));
  const exploding = asked === "sigma" ? sigma : asked === "unit-variance" ? root : start;
  if (samplers[sampler].space === "exploding") return exploding;
  return asked === undefined && tool === "diffusers" ? 1 : f32(exploding / root);
}

/** Where the last step lands. diffusers gives a choice to Euler and DPM-Solver, and another one to DDIM. */
function finalSigma(config: SchedulerConfig, sampler: SamplerName, levels: NoiseLevels): number {
  switch (sampler) {
    case "euler":
    case "dpmpp-2m":
    case "dpmpp-2m-sde":
      return config.finalSigma === "sigma-min" ? levels.sigmas[0] : 0;
    case "ddim":
      return config.setAlphaToOne ? 0 : levels.sigmas[0];
    case "tcd": // at timestep 0, not below
      return levels.sigmas[0];
    case "euler-ancestral":
    case "heun":
    case "lcm":
      return 0;
  }
}

/** Heun looks at each level twice, but at the first once. */
function twiceEach({ timesteps, sigmas, initNoiseSigma }: Schedule): Schedule {
  const inner = <T>(values: readonly T[]) => values.flatMap((value) => [value, value]);
  return {
    timesteps: [timesteps[0], ...inner(timesteps.slice(1))],
    sigmas: [sigmas[0], ...inner(sigmas.slice(1, -1)), sigmas[sigmas.length - 1]],
    initNoiseSigma,
  };
}

/** DDIM goes down by 1000 div n from each timestep, which is the next listed one only where n divides 1000. */
function landingsOfDdim(timesteps: readonly number[], { sigmas }: NoiseLevels, final: number): number[] {
  const stride = Math.floor(sigmas.length / timesteps.length);
  return timesteps.map((t) => t - stride >= 0 ? sigmas[t - stride] : final);
}

/** diffusers' η where none is asked for. */
const TCD_ETA = 0.3;

function landingsOfTcd(timesteps: readonly number[], { sigmas }: NoiseLevels, eta = TCD_ETA): number[] {
  if (!(eta >= 0 && eta <= 1)) {
    throw new RangeError(`Cannot run tcd with eta ${eta}: wanted is 0, no noise, to 1, as much as possible.`);
  }
  return timesteps.map((_, i) => f32(sigmaAt(sigmas, Math.floor(f32(f32(1 - eta) * (timesteps[i + 1] ?? 0))))));
}

function isTimestepSpacing(spacing: Spacing): boolean {
  return spacing === "leading" || spacing === "trailing" || spacing === "linspace";
}
