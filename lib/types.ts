/** Types that the public functions take and give, for those who name them. */

export type { Memory, Stage } from "./measure/memory.ts";
export type { Measurable } from "./measure/measure.ts";
export type { NetworkProfile, OperatorProfile } from "./measure/profile.ts";
export type { Repetition, Spread as TimeSpread } from "./measure/stopwatch.ts";
export { BAKE_DTYPES, BAKE_LAYOUTS, type BakeDType, type BakeLayout } from "./model/bake.ts";
export type { Conditioning, Size } from "./model/conditioning.ts";
export type { GuidancePasses } from "./model/guidance_passes.ts";
export type {
  Architecture,
  Aside,
  BlockCount,
  Computing,
  Distillation,
  DTypeCount,
  Fit,
  KeyReport,
  Misfit,
  PartReport,
  StoredFile,
  Structure,
  Told,
  Views,
} from "./model/inspect/inspection.ts";
export type { LoadedLora, LoraMode } from "./model/loras.ts";
export type { DecodeOptions } from "./model/model_options.ts";
export { type Precision, PRECISIONS, type Refusals } from "./model/precision.ts";
export type { PartDescription } from "./model/prepared.ts";
export type { RequestJson } from "./model/request_json.ts";
export type { Made, ProvenanceModel, ProvenanceRun, TellingModel } from "./model/provenance.ts";
export type { RecordedMemory, RecordedModel, RecordedTiming } from "./model/record.ts";
export { type Device, DEVICES } from "./model/sessions/devices.ts";
export type { Runtime } from "./model/sessions/session.ts";
export type { ModelSource } from "./model/source.ts";
export type { MemoryMode } from "./model/stage.ts";
export type { Inpainting, Prediction as NetworkOutput, StepFields } from "./model/step.ts";
export type { Comparison, Difference } from "./diffusion/compare.ts";
export { INIT_NOISES, PREDICTIONS, RAMPS, SAMPLER_NAMES, SPACINGS, TIMESTEP_SPACINGS } from "./diffusion/mod.ts";
export type {
  InitNoise,
  MicroConditioning,
  PlanOptions,
  Prediction,
  Ramp,
  Range,
  Recipe,
  SamplerName,
  Schedule,
  Spacing,
  Trajectory,
} from "./diffusion/mod.ts";
export type { Observable, Observe } from "./graph/observable.ts";
export type { Retry } from "./hub/patience.ts";
export type { PullProgress } from "./hub/progress.ts";
export type { PullOptions } from "./hub/pull.ts";
export type { ResolveOptions } from "./hub/resolve.ts";
export type { HubOptions } from "./hub/settings.ts";
export type { CellQuality, Content, Labels, Result } from "./sweep/cell.ts";
export { type Generator, NOISE_TYPES, type NoiseType } from "./tensor/random/generator.ts";
export { NOISE_HABITS, type NoiseHabit } from "./tensor/random/habits.ts";
export type { Word } from "./text/tokenizer.ts";
export type { Items } from "./view/places.ts";
export type { GridStyle } from "./view/places.ts";
export type { PlacedPicture, PlacedShape, PlacedText } from "./view/drawing.ts";
export type { ProvenanceSource } from "./view/figure.ts";
export type { Plane } from "./view/heat.ts";
export type { Spread as ShownSpread } from "./view/number.ts";
export type { SavePictureOptions } from "./view/picture.ts";
export type { ProgressState } from "./view/progress.ts";
export type { TableCell } from "./view/table.ts";
export type { Frame } from "./view/table_export.ts";
export { PRIORITIES, type Priority, type QueueOptions } from "./sweep/queue/connection.ts";
export type { Raster } from "./view/raster.ts";
export type { TextStyle, Weight } from "./view/text.ts";
export type { NumberField } from "./view/pivot.ts";
export type {
  AutoencoderArchitecture,
  ClipLayers,
  ClipTextArchitecture,
  TinyVaeArchitecture,
  UnetArchitecture,
  UnetBlock,
  VaeArchitecture,
} from "./weights/architecture.ts";
export type { Checkpoint, Contents, Layout, Markers, Part, PartName, TokenizerFolder } from "./weights/checkpoint.ts";
export type { CheckpointOptions } from "./weights/open.ts";
export type { Lora, LoraModule, LoraPart } from "./weights/lora.ts";
export type { SafetensorsFile } from "./weights/safetensors.ts";
export type { DType, Header, TensorEntry } from "./weights/safetensors_header.ts";
export type { WeightRef, Weights, WeightSource } from "./weights/weights.ts";
