/** What a model was opened from. */

import type { LoraMode } from "./loras.ts";
import type { Precision } from "./precision.ts";

/** `open`'s path and options, as they were given. */
export interface ModelSource {
  /** A path, or a name on the hub. */
  readonly checkpoint: string;
  /** What stood in for the checkpoint's U-Net. */
  readonly unet?: string;
  /** What stood in for the checkpoint's VAE. */
  readonly vae?: string;
  /** A folder of vocabularies, where one was named. */
  readonly tokenizer?: string;
  /** In the order in which a request lists their strengths. */
  readonly loras: readonly { readonly path: string; readonly strength: number }[];
  /** As a path beside the weights, or in them. */
  readonly loraMode: LoraMode;
  /** What it computes in, whatever the files hold. */
  readonly precision: Precision;
}
