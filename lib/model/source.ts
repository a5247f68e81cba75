/** What a model was opened from. */

import type { LoraMode } from "./loras.ts";
import type { Precision } from "./precision.ts";

/** `open`'s path and options, as they were given. */
export interface ModelSource {
  readonly checkpoint: string;
  readonly unet?: string;
  readonly vae?: string;
  readonly tokenizer?: string;
  readonly loras: readonly { readonly path: string; readonly strength: number }[];
  readonly loraMode: LoraMode;
  readonly precision: Precision;
}
