/**
 * Fewstep: open SDXL and its distilled children as they were published, denoise one step at a time, look, compare.
 *
 * ```ts
 * import { open, show } from "fewstep";
 *
 * await using model = await open("models/pocket/base", { unet: "models/pocket/lightning_4step_unet.safetensors" });
 * for await (const step of model.steps({ prompt: "sunflower, meadow", seed: 7, recipe: "lightning-4step" })) {
 *   await show(step, { decode: model });
 * }
 * ```
 */

export { measure, type Measurement, type RunMeasureOptions } from "./measure/measure.ts";
export { readTraining, type TrainingEntry, type TrainingStage } from "./measure/training.ts";
export { inspect, type InspectOptions } from "./model/inspect/inspect.ts";
export type { HashedFile, HashHabit, PublishedFile } from "./model/inspect/published.ts";
export type { CheckpointInspection, Inspection, LoraInspection } from "./model/inspect/inspection.ts";
export { bake, type BakeOptions } from "./model/bake.ts";
export { diff, type DiffOptions } from "./model/diff.ts";
export { Model } from "./model/model.ts";
export { open, type OpenOptions } from "./model/open.ts";
export { Profile, profile, type ProfileOptions } from "./model/profile.ts";
export { type Provenance, provenanceOf } from "./model/provenance.ts";
export { type ReproducedRun, type ReproduceOptions, reproduceRuns } from "./model/reproduce.ts";
export { openRecord, type RunRecord, saveRecord, type SaveRecordOptions } from "./model/record.ts";
export type { AttentionMap, FeatureMap, Observed, ObserveOptions } from "./model/observed.ts";
export type { Overrides, Request, RunOptions } from "./model/request.ts";
export { type Generated, Step, type Timing } from "./model/step.ts";
export { stopSignal } from "./model/stop.ts";
export type { ProfileBy, ProfileRow } from "./measure/profile.ts";
export type { Cell, CellMetric } from "./sweep/cell.ts";
export { compare, type ComparisonOptions, type ComparisonProgress } from "./sweep/compare.ts";
export type {
  ComparedModel,
  ComparedPrompt,
  CompareOptions,
  MeasureOptions,
  QualityOptions,
  Seed,
  Way,
} from "./sweep/options.ts";
export {
  type ArticlePrompt,
  articlePrompts,
  type Family,
  FAMILY_SECTIONS,
  type FamilySection,
  type MissingModel,
  publishedNames,
} from "./sweep/family/article.ts";
export { pocketFamily, type PocketFamilyOptions } from "./sweep/family/pocket.ts";
export { publishedFamily, publishedReferences } from "./sweep/family/published.ts";
export type { Plan, PlannedCell, PlannedModel } from "./sweep/plan.ts";
export { type FailedCell, Runs } from "./sweep/runs.ts";
export { sweep, type SweepEvent, type SweepOptions } from "./sweep/sweep.ts";
export type { WorkersOptions } from "./sweep/workers.ts";
export type { Estimated, Spread, Summary } from "./sweep/summary.ts";
export { recipes } from "./diffusion/mod.ts";
export { type Shape, Tensor } from "./tensor/tensor.ts";
export * from "./types.ts";
export * from "./view/mod.ts";
