/** What `inspect` tells of a path: plain values, the same as JSON. */

import type { Prediction } from "../../diffusion/mod.ts";
import type { AutoencoderArchitecture, ClipTextArchitecture, UnetArchitecture } from "../../weights/architecture.ts";
import type { Layout, PartName } from "../../weights/checkpoint.ts";
import type { Precision } from "../precision.ts";
import type { PartDescription } from "../prepared.ts";
import type { DType } from "../../weights/weights.ts";
import type { HashedFile } from "./published.ts";

/** Of one of a checkpoint's networks. */
export type Architecture = UnetArchitecture | AutoencoderArchitecture | ClipTextArchitecture;

/** How much is stored in one element type. */
export interface DTypeCount {
  /** As safetensors names it: "F32", "F16", "BF16", … */
  readonly dtype: DType;
  /** How many are stored in it. */
  readonly tensors: number;
  /** Numbers in them. */
  readonly parameters: number;
}

/** A file of weights. */
export interface StoredFile {
  /** Within the inspected folder; a single file's own name. */
  readonly name: string;
  /** The whole file, header included. */
  readonly bytes: number;
}

/** A block of the U-Net, and how much of it there is. */
export interface BlockCount {
  /** "down_blocks.0", "mid_block", …; the ends by their layer's name. */
  readonly name: string;
  /** Numbers in its tensors. */
  readonly parameters: number;
}

/** Tensors that are there and that no graph reads, and why that is right. */
export interface Aside {
  /** Why nothing needs them, as a clause. */
  readonly why: string;
  /** As in the file. */
  readonly names: readonly string[];
}

/** A tensor of another shape than the network wants. */
export interface Misfit {
  /** diffusers' name. */
  readonly key: string;
  /** As it lies in the file. */
  readonly shape: readonly number[];
  /** As the architecture asks for it. */
  readonly wanted: readonly number[];
}

/** Where more than a pointer into the file is needed. All of it is part of the graph: no tensor is written anew. */
export interface Views {
  /** Pieces of matrices that hold q, k and v in one. */
  readonly rows: number;
  /** Matrices that lie the other way round. */
  readonly transpose: number;
  /** 1×1 convolutions that are meant as matrices. */
  readonly squeeze: number;
  /** Stored in another type than float32. */
  readonly cast: number;
}

/** How the tensors of a part meet the network that is to be built from them. */
export interface KeyReport {
  /** Tensors of the file that the network reads. */
  readonly used: number;
  /** Those of them whose name in the file is not diffusers' own. */
  readonly renamed: number;
  /** How many tensors are seen otherwise than they lie. */
  readonly views: Views;
  /** diffusers' names, in the order in which the network asks for them. */
  readonly missing: readonly { readonly key: string; readonly shape: readonly number[] }[];
  /** Tensors of another shape than the network wants. */
  readonly misfits: readonly Misfit[];
  /** Tensors that nothing reads, by reason. */
  readonly aside: readonly Aside[];
  /** Names in the file that belong nowhere. */
  readonly unknown: readonly string[];
}

/** One network of a checkpoint: where it lies, how large it is, whether it is whole. */
export interface PartReport {
  /** Which network. */
  readonly part: PartName;
  /** Several where it is sharded. */
  readonly files: readonly StoredFile[];
  /** Of its tensors, without headers. */
  readonly bytes: number;
  /** As many as the files name for this part. */
  readonly tensors: number;
  /** Numbers in its tensors. */
  readonly parameters: number;
  /** Largest first; more than one is a mixed part. */
  readonly dtypes: readonly DTypeCount[];
  /** Left out where it cannot be told: `fault` says why. */
  readonly architecture?: Architecture;
  /** Whether a config said so; otherwise the shapes of the tensors did. */
  readonly told?: "by config" | "by shapes";
  /** In the order of the network. Only of the U-Net. */
  readonly blocks: readonly BlockCount[];
  /** Left out where there is no architecture to hold the tensors against. */
  readonly keys?: KeyReport;
  /** Why the architecture cannot be told, in a sentence. */
  readonly fault?: string;
}

/** A published architecture, by structure alone: a fine-tune or a distillation of it has the same. */
export interface Structure {
  /** "SDXL base", "SSD-1B", …: the name that it was published under. */
  readonly name: string;
  /** Why the kit does not run it. */
  readonly refused?: string;
}

/** What the weights were distilled to, as far as anything says so. */
export interface Distillation {
  /** "SDXL-Lightning, 4 steps"; "cannot tell". */
  readonly family: string;
  /**
   * "published hash": the bytes of a published file; "published name": a file's name that its maker gave; "structure": tensors that only such a model has; "likely": a
   * guess from a name or the header; "unknown": none.
   */
  readonly certainty: "published hash" | "published name" | "structure" | "likely" | "unknown";
  /** What said so. */
  readonly reason: string;
}

/** A recipe that runs the weights. */
export interface Fit {
  /** A name in `recipes`. */
  readonly recipe: string;
  /** A line to run. */
  readonly command: string;
}

/** How networks are computed on a device in a precision, or why they are not. */
export interface Computing {
  /** As the command line takes it. */
  readonly device: "cpu" | "cpu --memory lean" | "openvino" | "webgpu" | "cuda";
  /** As `open` takes it. */
  readonly precision: Precision;
  /** Left out where it is refused. OpenVINO's bf16 and fp16 want a processor that has them. */
  readonly parts?: readonly Omit<PartDescription, "runtime">[];
  /** Why the device does not compute in this precision. */
  readonly refused?: string;
}

/** What is told of every file or folder of weights. */
export interface Told {
  /** As it was given. */
  readonly path: string;
  /** Of all files of weights together. */
  readonly bytes: number;
  /** The safetensors header's own remarks, where they say what the weights are: modelspec.*, ss_*. */
  readonly metadata: Readonly<Record<string, string>>;
  /** sha256 of its files, as far as they are known: see `InspectOptions`. */
  readonly hashes: readonly HashedFile[];
  /** To how many steps, as far as a hash, a name, the structure or the header tells. */
  readonly distillation: Distillation;
  /** Recipes that run it; none where it cannot be run. */
  readonly recipes: readonly Fit[];
}

/** What a checkpoint holds. */
export interface CheckpointInspection extends Told {
  /** Tells it from a LoRA's. */
  readonly inspected: "checkpoint";
  /** The form that it is published in. */
  readonly layout: Layout;
  /** U-Net, VAE, text encoders: what is there of each. */
  readonly parts: readonly PartReport[];
  /** What a picture needs besides. */
  readonly lacks: readonly string[];
  /** Sizes that its tensors tell, where there is a U-Net. */
  readonly structure?: Structure;
  /** What the network's output means, and what said so. */
  readonly prediction: { readonly type: Prediction; readonly told: string };
  /** Folders of vocabularies beside the weights. */
  readonly tokenizers: readonly string[];
  /** What scheduler/scheduler_config.json asks for, in words. */
  readonly scheduler?: string;
  /** Tensors without weight that tell how to run it: "v_pred", "ztsnr". */
  readonly markers: readonly string[];
  /** How it would be computed, by device and precision: which operators and why. None without a U-Net. */
  readonly computing: readonly Computing[];
  /** Tensors that belong to no part. */
  readonly unknown: readonly string[];
  /** Files and tensors that are no part of the model. */
  readonly aside: readonly Aside[];
  /** What keeps it from running, a sentence each; none when it is whole. */
  readonly faults: readonly string[];
  /** What to know before running it, a sentence each. */
  readonly notes: readonly string[];
}

/** What a LoRA holds. */
export interface LoraInspection extends Told {
  /** Tells it from a checkpoint's. */
  readonly inspected: "lora";
  /** How its tensors are named. */
  readonly naming: string;
  /** Tensors in the file. */
  readonly tensors: number;
  /** Numbers in them. */
  readonly parameters: number;
  /** Of which types. */
  readonly dtypes: readonly DTypeCount[];
  /** Modules by part and by kind of layer. */
  readonly modules: readonly { readonly part: PartName; readonly layers: string; readonly modules: number }[];
  /** Ranks, with the number of modules of each. */
  readonly ranks: readonly { readonly rank: number; readonly modules: number }[];
  /** alpha/rank, by which up·down is multiplied; 1 where a module has no alpha. */
  readonly scales: readonly { readonly scale: number; readonly modules: number }[];
  /** Which model it was made for, by the width of the text that its cross-attention reads. */
  readonly madeFor: string;
  /** Why the kit does not apply it, in a sentence. */
  readonly refused?: string;
  /** Names that are no part of a low-rank product. */
  readonly unknown: readonly string[];
}

/** What `inspect` finds. */
export type Inspection = CheckpointInspection | LoraInspection;

/** Whether a value is what `inspect` returns. */
export function isInspection(value: unknown): value is Inspection {
  return typeof value === "object" && value !== null && "inspected" in value &&
    (value.inspected === "checkpoint" || value.inspected === "lora") && "distillation" in value;
}
