/** The mathematics of few steps. Pure: no I/O, no ONNX. */

export { INIT_NOISES, PREDICTIONS, RAMPS, SAMPLER_NAMES, SPACINGS, TIMESTEP_SPACINGS } from "./contract.ts";
export type {
  InitNoise,
  Prediction,
  Ramp,
  Sampler,
  SamplerName,
  SamplerState,
  Schedule,
  Space,
  Spacing,
  TimestepSpacing,
  Trajectory,
} from "./contract.ts";
export { COMPARED, compareRuns, type Comparison, type Difference, type Run } from "./compare.ts";
export { guidanceAt, guidanceEmbedding, guided, usesGuidance } from "./guidance.ts";
export { type MicroConditioning, timeIds } from "./micro_conditioning.ts";
export { inpainted, latentMask, noised } from "./picture.ts";
export { allowsSteps, plan, type PlanOptions } from "./plan.ts";
export { denoised, epsilonOf, velocityOf, x0Of } from "./prediction.ts";
export { type Range, type Recipe, recipes } from "./recipes.ts";
export { inSpace, samplers } from "./samplers/mod.ts";
export { scheduleOf, type ScheduleOptions } from "./schedule.ts";
export { type SchedulerConfig, SDXL_SCHEDULER } from "./scheduler_config.ts";
