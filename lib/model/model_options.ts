/** What a model is made of, and what is asked of its parts. */

import type { SchedulerConfig } from "../diffusion/mod.ts";
import type { AutoencoderArchitecture } from "../weights/architecture.ts";
import type { Checkpoint, Part } from "../weights/checkpoint.ts";
import type { GuidancePasses } from "./guidance_passes.ts";
import type { LoadedLora, LoraMode } from "./loras.ts";
import type { Precision } from "./precision.ts";
import type { Runtime } from "./sessions/session.ts";
import type { ModelSource } from "./source.ts";
import type { MemoryMode } from "./stage.ts";

export interface ModelOptions {
  readonly checkpoint: Checkpoint;
  readonly source: ModelSource;
  /** Default: `checkpoint`. */
  readonly published?: Checkpoint;
  /** What decodes previews in place of the VAE. */
  readonly preview?: Part<AutoencoderArchitecture>;
  readonly runtime: Runtime;
  readonly precision: Precision;
  /** Where weights go that are made for a precision. Default: the kit's cache. */
  readonly preparedFolder?: string;
  /** Default "batch". */
  readonly guidancePasses?: GuidancePasses;
  readonly scheduler: SchedulerConfig;
  readonly memory: MemoryMode;
  readonly loras: readonly LoadedLora[];
  readonly loraMode: LoraMode;
  /** Called once everything is released. */
  readonly onClose?: () => Promise<void>;
  readonly warn: (message: string) => void;
}

/** How a latent becomes a picture. */
export interface DecodeOptions {
  /** Default "vae". */
  readonly by?: "vae" | "preview";
  /**
   * Pixels of a tile's side, a multiple of 8: the picture is decoded tile by tile, in memory that the tile bounds, to the
   * same values. It takes several times as long. Default: whole.
   */
  readonly tile?: number;
  /** Ends the decoding, which then fails with its reason. */
  readonly signal?: AbortSignal;
}
