/** What is asked of a model: everything that, with the weights, decides the picture. */

import type { MicroConditioning, PlanOptions } from "../diffusion/mod.ts";
import type { Observe } from "../graph/observable.ts";
import type { NoiseHabit } from "../tensor/random/habits.ts";
import type { NoiseType } from "../tensor/random/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Recipe, sampler, schedule and guidance are `PlanOptions`; a field given here overrides the recipe where it allows. */
export interface Request extends PlanOptions {
  /** The text to draw. An empty prompt is allowed: it asks for a picture of anything. */
  readonly prompt: string;
  /**
   * What guidance pushes away from. Left out, the unconditional embeddings are zeros when the model says
   * `force_zeros_for_empty_prompt` (SDXL does), as in diffusers; `""` is encoded like any other text.
   */
  readonly negative?: string;
  /** One seed, or one per picture of the batch. 64-bit seeds want a bigint. Default 0. */
  readonly seed?: number | bigint | readonly (number | bigint)[];
  /** Which of torch's generators the seed feeds: diffusers' `torch.Generator(rng)`. Default "cpu". */
  readonly rng?: "cpu" | "cuda";
  /**
   * Which number type torch draws the noise in: a pipeline in half precision draws in it, as the article's scripts do.
   * Default "fp32". The run itself is not rounded.
   */
  readonly noiseType?: NoiseType;
  /**
   * How the batch's noise comes from the seeds. "each-own" (default): a generator a seed, as diffusers draws from a list
   * of them. "one-stream": one generator draws the whole batch, as ComfyUI does, and diffusers with a single generator.
   * "counted-up": seed, seed + 1, …, a generator each, as A1111 does (with `rng: "cuda"`). The last two take one seed.
   */
  readonly noiseHabit?: NoiseHabit;
  /** Pictures to draw, where the habit draws several from one seed. Default: one a seed. */
  readonly batch?: number;
  /** Unit normal noise `[batch, 4, height/8, width/8]`, used in place of the seed. */
  readonly noise?: Tensor;
  /**
   * A picture to begin from in place of pure noise, `[1 or batch, 3, height, width]` in 0..1, or its latent
   * `[1 or batch, 4, height/8, width/8]`. `strength` says how much of the schedule is left to it.
   */
  readonly image?: Tensor;
  /**
   * Inpainting: where `image` is drawn anew (white) and where it is kept (black), a picture of its size,
   * `[1 or batch, 1 or 3, height, width]` in 0..1. After each step the rest goes back to the image at the step's noise;
   * with a `strength` of 1 (default) nothing of the image shows through under the mask.
   */
  readonly mask?: Tensor;
  /** What the network is told of the picture's sizes. Default: the size that is drawn, uncropped. */
  readonly microConditioning?: MicroConditioning;
  /** The same for the unconditional half. Default: the prompt's. */
  readonly negativeMicroConditioning?: MicroConditioning;
  /** One a LoRA of the model, in the order in which it was opened with them. Default: the strengths given then. */
  readonly loraStrengths?: readonly number[];
  /** Picture size in pixels, each a multiple of 8. Default: the image's, or what the model was made for. */
  readonly size?: { readonly width: number; readonly height: number };
}

/** How a run is followed and ended. */
export interface RunOptions {
  /** Ends the run, also within a denoising step; the steps so far stay good. */
  readonly signal?: AbortSignal;
  /** What to look at inside the network: `model.observe([…])`. Each step then has it as `observed`. */
  readonly observe?: Observe;
}

/** What of a request may change from one step to the next. The schedule may not: the latent stands on it. */
export type Overrides =
  & Pick<
    Request,
    | "prompt"
    | "negative"
    | "sampler"
    | "prediction"
    | "guidance"
    | "guidanceRescale"
    | "guidanceInterval"
    | "eta"
    | "loraStrengths"
    | "unguarded"
  >
  & RunOptions;

/** The seeds, one a picture or, by `noiseHabit`, one for all. @throws RangeError when the list is empty. */
export function seedsOf({ seed = 0, noise, noiseHabit = "each-own" }: Request): readonly (number | bigint)[] {
  if (typeof seed !== "number" && typeof seed !== "bigint") {
    if (seed.length === 0) throw new RangeError("Cannot begin: the list of seeds is empty; wanted one a picture.");
    return seed;
  }
  // Noise brings its own batch; the one seed then feeds only what samplers draw later.
  return Array.from({ length: noiseHabit === "each-own" ? noise?.shape[0] ?? 1 : 1 }, () => seed);
}

/** Pictures in the batch. @throws RangeError for a number that is none */
export function batchOf(request: Request): number {
  const { noise, batch = noise?.shape[0] ?? seedsOf(request).length } = request;
  if (Number.isInteger(batch) && batch >= 1) return batch;
  throw new RangeError(`Cannot draw a batch of ${batch} pictures: wanted is a whole number from 1.`);
}
