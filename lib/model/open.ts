/** Opens a checkpoint as it was published. */

import { kindOf } from "../weights/files.ts";
import { openFolder } from "../weights/folder.ts";
import { SDXL_SCHEDULER } from "../diffusion/mod.ts";
import { Model } from "./model.ts";
import type { MemoryMode } from "./stage.ts";

export interface OpenOptions {
  /** A .safetensors file that replaces the U-Net, such as `sdxl_lightning_4step_unet.safetensors`. */
  readonly unet?: string;
  /** A .safetensors file that replaces the VAE. */
  readonly vae?: string;
  /** Where to compute. Default "cpu". */
  readonly device?: "cpu";
  /** What to compute in, whatever the file holds. Default "fp32". */
  readonly precision?: "fp32";
  /**
   * "fast" (default) keeps U-Net and VAE loaded and lets the text encoders go; "lean" holds one part at a time, at
   * the price of loading it again.
   */
  readonly memory?: MemoryMode;
  /** Threads of the runtime. Default: its own choice, one a core. */
  readonly threads?: number;
  /** Told in a sentence what a user should know, such as a prompt cut off. Default `console.warn`. */
  readonly warn?: (message: string) => void;
}
