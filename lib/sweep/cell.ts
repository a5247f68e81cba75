/** A cell of a comparison: one picture by one model, with what it cost. */

import type { Prediction, SamplerName } from "../diffusion/mod.ts";

/** Everything that decides a cell's bits: what its key is the hash of. Two cells of one content are one piece of work. */
export interface Content {
  /** Version of the kit's numerics: raised whenever the same request gives other bits. */
  readonly numerics: number;
  /** sha256 of the weight files of each part, of the vocabularies, and of each LoRA with its strength. */
  readonly weights: Readonly<Record<string, readonly string[]>>;
  /** In the order in which they are applied: float sums depend on it. */
  readonly loras: readonly { readonly digest: string; readonly strength: number }[];
  /** Both mean the same picture, and differ in its last bits. */
  readonly loraMode: "branch" | "fuse";
  /** What configs say that tensors do not: heads, activations, scaling. */
  readonly architecture: string;
  /** Whole, as the tokenizers read it. */
  readonly prompt: string;
  /** What guidance pushes away from; null for zeros or where nothing is guided. */
  readonly negative: string | null;
  /** Decimal text: torch's seeds have 64 bits, JSON's numbers 53. */
  readonly seed: string;
  /** Resolved from request, recipe and checkpoint. */
  readonly sampler: SamplerName;
  /** How the network's output is read. */
  readonly prediction: Prediction;
  /** `[n]`, descending, as the network is told them. */
  readonly timesteps: readonly number[];
  /** `[n + 1]`, descending. */
  readonly sigmas: readonly number[];
  /** What unit noise is multiplied by to begin with. */
  readonly initNoiseSigma: number;
  /** `[n]`, where each step lands, for ddim and tcd; null for samplers that land on the next sigma. */
  readonly landings: readonly number[] | null;
  /** 0 wherever the prompt runs alone: guidance of 0 and of 1 is the same work. */
  readonly guidance: number;
  /** The scale that a fully distilled LCM takes as an input; null for all others. */
  readonly embeddedGuidance: number | null;
  /** Share of the added contrast that is taken back, 0 … 1; null for none. */
  readonly guidanceRescale: number | null;
  /** Noise levels between which guidance runs; null for all. */
  readonly guidanceInterval: { readonly from: number; readonly to: number } | null;
  /** How much noise ddim and tcd bring back; null for the sampler's own. */
  readonly eta: number | null;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** As `open` takes it: "cpu", "webgpu", "openvino:CPU", … */
  readonly device: string;
  /** What the U-Net computes in: "fp32", "int8", … */
  readonly precision: string;
  /** The runtime and its version: "ONNX Runtime 1.30.0, CPU". */
  readonly runtime: string;
}

/** What labels a cell in figures and tables: the plan's, not the store's. */
export interface Labels {
  /** Place among the cells as they were asked for: models outermost, then recipes, prompts, seeds. */
  readonly position: number;
  /** The plan's name for it. */
  readonly model: string;
  /** The recipe without its number of steps: "base", "lightning", "comfy-lightning", "turbo", "lcm", … */
  readonly family: string;
  /** A name in `recipes`. */
  readonly recipe: string;
  /** Denoising steps. */
  readonly steps: number;
  /** Resolved from request, recipe and checkpoint. */
  readonly sampler: SamplerName;
  /** The scale that was asked for, or the recipe's. */
  readonly guidance: number;
  /** Place of the prompt among the plan's. */
  readonly promptIndex: number;
  /** The prompt's short name, or the prompt where it has none. */
  readonly promptName: string;
  /** Whole, as it was drawn. */
  readonly prompt: string;
  /** What guidance pushes away from; null where it was left out. */
  readonly negative: string | null;
  /** Decimal text: torch's seeds have 64 bits. */
  readonly seed: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** As `open` takes it: "cpu", "webgpu", "openvino:CPU", … */
  readonly device: string;
  /** What the U-Net computes in: "fp32", "int8", … */
  readonly precision: string;
}

/** What running a cell gave: what the store holds under its key. */
export interface Result {
  /** Text encoders, loading them included, in seconds; null where the texts were remembered from an earlier cell. */
  readonly secondsText: number | null;
  /** The U-Net in all steps, guidance's halves together, without loading it. */
  readonly secondsUnet: number;
  /** The median step, sampler included. */
  readonly secondsPerStep: number;
  /** Decoding; with loading the VAE where the cell is not warm. */
  readonly secondsVae: number;
  /** Text, every step and decoding: loading included where the cell is not warm; files and progress bars are not. */
  readonly secondsTotal: number;
  /** Bytes resident before the model was loaded: the kit itself. */
  readonly memoryBaseline: number;
  /** Bytes resident, the most after any step. */
  readonly memoryResident: number;
  /** The highest resident size while the cell ran, where the system tells (Linux); else as `memoryResident`. */
  readonly memoryPeak: number;
  /** False for the first cell of a freshly loaded model, whose times hold the loading. */
  readonly warm: boolean;
  /** sha256 of the last latent's float32 bytes. */
  readonly latentDigest: string;
  /** Path of the picture, a PNG. */
  readonly picture: string;
  /** Path of the last latent: `latent` `[1, 4, height/8, width/8]` in a safetensors. */
  readonly latent: string;
  /** Path of the whole run as a record, or null. */
  readonly record: string | null;
  /** "fewstep 0.1.0, ONNX Runtime 1.30.0, CPU, Deno 2.9.6" */
  readonly versions: string;
  /** "2 × Intel(R) Xeon(R) …, 24 GiB, linux x86_64" */
  readonly machine: string;
  /** When it was made: ISO 8601, UTC. */
  readonly made: string;
}

/** Quality of one picture, as far as it was asked for; definitions in measure/quality/. */
export interface CellQuality {
  /** 100 · cosine of picture and prompt in CLIP's space. */
  readonly promptScore?: number;
  /** 1 where the picture finds its own caption among all, else 0. */
  readonly retrieved?: number;
  /** Relative L2 of the last latent to the reference's; null for the reference itself, and for other sizes. */
  readonly latentDistance?: number | null;
  /** Decibels to the reference's picture; null as above. */
  readonly psnr?: number | null;
  /** Structural similarity to the reference's picture, 1 for the same; null as above. */
  readonly ssim?: number | null;
  /** 1 − cosine to the reference's picture in CLIP's space; null for the reference itself. */
  readonly perceptual?: number | null;
}

/** A cell, run and labelled: one row of the results. */
export interface Cell extends Labels, Result, CellQuality {
  /** sha256 of its content: what it is stored under. */
  readonly key: string;
}

/**
 * A column of the results' frame: as `Cell`'s field of that name. Only width and height are called otherwise: a Polars
 * frame has properties of these names, and a column hides them.
 */
export type Column = Exclude<keyof Cell, "width" | "height"> | "pixelWidth" | "pixelHeight";

/**
 * The columns of `runs.frame()`, in order, with their kinds: text; whole and real numbers; yes or no. One row a cell, in
 * the order of the plan. Nulls are nulls. A metric that was not asked for has no column.
 */
export const COLUMNS: Readonly<Record<Column, "text" | "whole" | "real" | "boolean">> = {
  position: "whole",
  model: "text",
  family: "text",
  recipe: "text",
  steps: "whole",
  sampler: "text",
  guidance: "real",
  promptIndex: "whole",
  promptName: "text",
  prompt: "text",
  negative: "text",
  seed: "text",
  pixelWidth: "whole",
  pixelHeight: "whole",
  device: "text",
  precision: "text",
  secondsText: "real",
  secondsUnet: "real",
  secondsPerStep: "real",
  secondsVae: "real",
  secondsTotal: "real",
  memoryBaseline: "real",
  memoryResident: "real",
  memoryPeak: "real",
  warm: "boolean",
  promptScore: "real",
  retrieved: "real",
  latentDistance: "real",
  psnr: "real",
  ssim: "real",
  perceptual: "real",
  picture: "text",
  latent: "text",
  record: "text",
  latentDigest: "text",
  key: "text",
  versions: "text",
  machine: "text",
  made: "text",
};

/** A metric of a single picture. */
export type CellMetric = keyof CellQuality;

/** The metrics of single pictures. */
export const CELL_METRICS: readonly CellMetric[] = [
  "promptScore",
  "retrieved",
  "latentDistance",
  "psnr",
  "ssim",
  "perceptual",
];
