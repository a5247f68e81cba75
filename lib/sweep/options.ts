/** What a comparison is asked for. */

import type { Overrides, Request } from "../model/request.ts";
import type { OpenOptions } from "../model/open.ts";

/** How a model is run: a recipe, and what is changed of it where the recipe allows. */
export interface Way extends
  Pick<
    Request,
    | "recipe"
    | "sampler"
    | "spacing"
    | "ramp"
    | "prediction"
    | "steps"
    | "timesteps"
    | "sigmas"
    | "guidance"
    | "guidanceRescale"
    | "guidanceInterval"
    | "eta"
  >,
  Pick<Overrides, "loraStrengths" | "unguarded"> {}

/** A model of a comparison: how it is called in figures, and how `open` opens it. */
export interface ComparedModel extends Omit<OpenOptions, "warn"> {
  /**
   * In labels and tables. Several entries may share a name where they differ in recipe or steps: Lightning's U-Nets of
   * 8, 4 and 2 steps are three files and one row of a figure.
   */
  readonly name: string;
  /** A diffusers folder, a single file, or the name of one in the hub's cache: `open`'s first argument. */
  readonly model: string;
  /**
   * The recipe that the weights were made for. Default: what their file names tell (as `inspect` says), else "base".
   * Where the comparison names no recipes, the model runs by this one.
   */
  readonly recipe?: string;
  /** The ways to run this model, in place of the comparison's `recipes` and `steps`. */
  readonly recipes?: readonly (string | Way)[];
  /** Pixels of this model's pictures, in place of the comparison's `size`: Turbo was made for half the base's. */
  readonly size?: { readonly width: number; readonly height: number };
}

/** A prompt of a comparison. */
export interface ComparedPrompt {
  /** The text itself. */
  readonly prompt: string;
  /** In labels. Default: the prompt itself. */
  readonly name?: string;
  /** What guidance pushes away from. */
  readonly negative?: string;
  /** This prompt's own seed or seeds, in place of the comparison's. */
  readonly seed?: Seed;
  /** This prompt's own seeds, in place of the comparison's. */
  readonly seeds?: readonly Seed[];
}

/** A seed of torch: 64 bits, so as text or bigint above 2⁵³. */
export type Seed = number | bigint | string;

/** What quality is measured by. What is left out is not measured. */
export interface QualityOptions {
  /** A CLIP in safetensors: a folder with config.json, or the file. Scores prompts and describes pictures. */
  readonly clip?: string;
  /** The model whose picture from the same noise each picture is compared with: its name, or its name at a recipe. */
  readonly reference?: string | { readonly model: string; readonly recipe?: string; readonly steps?: number };
  /** Captions beside the comparison's own prompts, among which a picture has to find its own. */
  readonly captions?: readonly string[];
  /** A folder of real pictures for the Fréchet distance. Default: the reference's pictures. */
  readonly pictures?: string;
}

/** How cells are measured, and what is kept of them. */
export interface MeasureOptions {
  /**
   * "step": one denoising step and one decoding run unmeasured when a model was loaded, so that no cell's times hold the
   * loading. "none" (default): the first cell of a freshly loaded model is marked as not warm.
   */
  readonly warmUp?: "none" | "step";
  /** Whether whole runs are kept as records, about 3·steps latents each. Default "none". */
  readonly records?: "none" | "all";
}

/** Models, prompts and seeds: every one by every other is a cell. */
export interface CompareOptions {
  /** Rows of the tables; in figures usually columns. */
  readonly models: readonly ComparedModel[];
  /**
   * The recipes that every model runs by, unless it names its own. Not together with `steps`. With neither, each model
   * runs by its own recipe.
   */
  readonly recipes?: readonly (string | Way)[];
  /** Each model's own recipe at these steps. Steps that its weights were not made for are left out, and said so. */
  readonly steps?: readonly number[];
  /** Texts, or texts with names and seeds. */
  readonly prompts: readonly (string | ComparedPrompt)[];
  /** One picture a seed, for each prompt that brings none. Default 0. */
  readonly seeds?: readonly Seed[];
  /** Pixels. Default: each model's own. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Default: no warm-up, no records. */
  readonly measure?: MeasureOptions;
  /** Default: none is measured. */
  readonly quality?: QualityOptions;
}
