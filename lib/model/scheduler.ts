/** Reads and writes `scheduler/scheduler_config.json`: how a model's authors want it run. */

import * as v from "valibot";
import { type Prediction, type SamplerName, type SchedulerConfig, SDXL_SCHEDULER } from "../diffusion/mod.ts";
import type { Contents } from "../weights/checkpoint.ts";
import { finite, readConfig } from "../weights/config.ts";
import { plain } from "../weights/said.ts";
import { DIFFUSERS_VERSION } from "../weights/diffusers_config.ts";

/** diffusers' scheduler classes by the sampler that they are. */
const SAMPLERS: Readonly<Record<string, SamplerName>> = {
  EulerDiscreteScheduler: "euler",
  EulerAncestralDiscreteScheduler: "euler-ancestral",
  HeunDiscreteScheduler: "heun",
  DDIMScheduler: "ddim",
  DPMSolverMultistepScheduler: "dpmpp-2m",
  LCMScheduler: "lcm",
  TCDScheduler: "tcd",
};

const PREDICTIONS: Readonly<Record<string, Prediction>> = { epsilon: "epsilon", v_prediction: "v", sample: "sample" };

/**
 * Levels that a schedule is laid out from: SDXL has 1,000. Tables of them are made for each plan, and their squares by
 * the spacing `beta`.
 */
const MAX_TRAIN_TIMESTEPS = 100_000;
const timesteps = v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(MAX_TRAIN_TIMESTEPS));
/** Shares of the signal that a step destroys: with 1 or more nothing would be left for the next. */
const beta = v.pipe(v.number(), v.minValue(0), v.ltValue(1));
const betas = v.pipe(v.array(beta), v.minLength(2), v.maxLength(MAX_TRAIN_TIMESTEPS));

const fileSchema = v.looseObject({
  _class_name: v.string(),
  prediction_type: v.optional(v.picklist(["epsilon", "v_prediction", "sample"]), "epsilon"),
  timestep_spacing: v.optional(v.picklist(["leading", "trailing", "linspace"]), "leading"),
  steps_offset: v.optional(
    v.pipe(finite, v.integer(), v.minValue(0), v.maxValue(MAX_TRAIN_TIMESTEPS)),
    SDXL_SCHEDULER.stepsOffset,
  ),
  num_train_timesteps: v.optional(timesteps, SDXL_SCHEDULER.trainTimesteps),
  beta_schedule: v.optional(v.picklist(["linear", "scaled_linear", "squaredcos_cap_v2"]), SDXL_SCHEDULER.betaSchedule),
  beta_start: v.optional(beta, SDXL_SCHEDULER.betaStart),
  beta_end: v.optional(beta, SDXL_SCHEDULER.betaEnd),
  trained_betas: v.nullish(betas),
  rescale_betas_zero_snr: v.optional(v.boolean(), false),
  final_sigmas_type: v.optional(v.picklist(["zero", "sigma_min"]), "zero"),
  set_alpha_to_one: v.optional(v.boolean(), SDXL_SCHEDULER.setAlphaToOne),
  use_karras_sigmas: v.nullish(v.boolean(), false),
  use_exponential_sigmas: v.nullish(v.boolean(), false),
  use_beta_sigmas: v.nullish(v.boolean(), false),
});

/**
 * How a checkpoint wants to be run: what its scheduler file says; else SDXL base's settings, and what marker tensors add.
 *
 * @param warn told when the file asks for a sampler that the kit does not have
 */
export async function readScheduler(
  { schedulerConfig: path, markers }: Pick<Contents, "schedulerConfig" | "markers">,
  warn: (message: string) => void,
): Promise<SchedulerConfig> {
  if (path === undefined) {
    const { velocity, zeroTerminalSnr } = markers;
    return {
      ...SDXL_SCHEDULER,
      prediction: velocity ? "v" : SDXL_SCHEDULER.prediction,
      rescaleBetasZeroSnr: zeroTerminalSnr,
      // Leading spacing never visits the last timestep, where alone zero SNR makes a difference (arXiv 2305.08891).
      spacing: zeroTerminalSnr ? "trailing" : SDXL_SCHEDULER.spacing,
    };
  }
  const config = await readConfig(path, fileSchema);
  const sampler = Object.hasOwn(SAMPLERS, config._class_name) ? SAMPLERS[config._class_name] : undefined;
  if (sampler === undefined) {
    warn(
      `${path} asks for ${
        plain(config._class_name)
      }, which the kit does not have; ${SDXL_SCHEDULER.sampler} runs instead.`,
    );
  }
  return {
    sampler: sampler ?? SDXL_SCHEDULER.sampler,
    prediction: PREDICTIONS[config.prediction_type],
    spacing: config.timestep_spacing,
    ramp: config.use_karras_sigmas
      ? "karras"
      : config.use_exponential_sigmas
      ? "exponential"
      : config.use_beta_sigmas
      ? "beta"
      : undefined,
    stepsOffset: config.steps_offset,
    trainTimesteps: config.num_train_timesteps,
    betaSchedule: config.beta_schedule,
    betaStart: config.beta_start,
    betaEnd: config.beta_end,
    trainedBetas: config.trained_betas ?? undefined,
    rescaleBetasZeroSnr: config.rescale_betas_zero_snr,
    finalSigma: config.final_sigmas_type === "zero" ? "zero" : "sigma-min",
    setAlphaToOne: config.set_alpha_to_one,
  };
}

/** A scheduler file for a checkpoint that had none: Euler, as SDXL's own, with what its marker tensors said. */
export function eulerConfigOf(
  { prediction, spacing, stepsOffset, trainTimesteps, betaSchedule, betaStart, betaEnd, rescaleBetasZeroSnr }:
    SchedulerConfig,
) {
  return {
    _class_name: "EulerDiscreteScheduler",
    _diffusers_version: DIFFUSERS_VERSION,
    beta_end: betaEnd,
    beta_schedule: betaSchedule,
    beta_start: betaStart,
    final_sigmas_type: "zero",
    interpolation_type: "linear",
    num_train_timesteps: trainTimesteps,
    prediction_type: prediction === "v" ? "v_prediction" : prediction,
    rescale_betas_zero_snr: rescaleBetasZeroSnr,
    sigma_max: null,
    sigma_min: null,
    steps_offset: stepsOffset,
    timestep_spacing: spacing,
    timestep_type: "discrete",
    trained_betas: null,
    use_beta_sigmas: false,
    use_exponential_sigmas: false,
    use_karras_sigmas: false,
  };
}
