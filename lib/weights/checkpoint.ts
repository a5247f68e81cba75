/** What a checkpoint holds, once it was opened: headers and configs read, no tensor touched. */

import type { AutoencoderArchitecture, ClipTextArchitecture, UnetArchitecture } from "./architecture.ts";
import type { Weights } from "./weights.ts";

/** A network of a checkpoint: its architecture, and where its weights lie. */
export interface Part<Architecture> {
  /** Its widths and depths. */
  readonly architecture: Architecture;
  /** Its tensors, as pointers into their files. */
  readonly weights: Weights;
  /** Whether a config said so; otherwise the shapes of the tensors did. */
  readonly told: "by config" | "by shapes";
}

/** A folder of vocab.json and merges.txt. */
export interface TokenizerFolder {
  /** Absolute path. */
  readonly folder: string;
  /** What fills up a short prompt, where the folder does not say. Default: the end-of-text token. */
  readonly pad?: string;
}

/** The shapes in which SDXL is published. */
export type Layout =
  | "diffusers folder"
  | "single file, original names"
  | "single file, diffusers names"
  | "U-Net file, original names"
  | "U-Net file, diffusers names"
  | "VAE file, original names"
  | "VAE file, diffusers names"
  | "tiny VAE file, original names"
  | "tiny VAE file, diffusers names"
  | "U-Net folder"
  | "VAE folder";

/** Prediction type and noise schedule, where marker tensors of a single file tell them. */
export interface Markers {
  /** The U-Net predicts velocity. */
  readonly velocity: boolean;
  /** Its noise schedule ends in pure noise: zero terminal SNR. */
  readonly zeroTerminalSnr: boolean;
}

/** Everything that a path holds. A U-Net file has nothing but the U-Net. */
export interface Contents {
  /** Absolute path. */
  readonly path: string;
  /** The form that it is published in. */
  readonly layout: Layout;
  /** What denoises. */
  readonly unet?: Part<UnetArchitecture>;
  /** What a latent becomes a picture by, and the other way round. */
  readonly vae?: Part<AutoencoderArchitecture>;
  /** CLIP ViT-L in SDXL. */
  readonly textEncoder?: Part<ClipTextArchitecture>;
  /** OpenCLIP bigG in SDXL: its pooled text goes to the U-Net, too. */
  readonly textEncoder2?: Part<ClipTextArchitecture>;
  /** Vocabulary of the first text encoder. */
  readonly tokenizer?: TokenizerFolder;
  /** Vocabulary of the second. */
  readonly tokenizer2?: TokenizerFolder;
  /** scheduler/scheduler_config.json. */
  readonly schedulerConfig?: string;
  /** What tensors without weight say about how to run it. */
  readonly markers: Markers;
  /** Whether a missing negative prompt means zeros instead of the empty text's embeddings. */
  readonly forceZerosForEmptyPrompt: boolean;
  /** Names of tensors that belong to no part. */
  readonly unknown: readonly string[];
  /** Names of tensors that are known and not needed: copies, buffers. */
  readonly ignored: readonly string[];
}

/** SDXL's networks, as diffusers names their folders. */
export type PartName = "unet" | "vae" | "text_encoder" | "text_encoder_2";

/** A part that is there and cannot be told: what is wrong, and its tensors where they could be read. */
export interface Fault {
  readonly part: PartName;
  readonly error: unknown;
  readonly weights?: Weights;
}

/** Told of each part that has to be left out. Without it the first fault is thrown. */
export type OnFault = (fault: Fault) => void;

/** Contents that are enough to draw a picture. */
export type Checkpoint =
  & Contents
  & Required<Pick<Contents, "unet" | "vae" | "textEncoder" | "textEncoder2" | "tokenizer" | "tokenizer2">>;

export const NO_MARKERS: Markers = { velocity: false, zeroTerminalSnr: false };
