/** How each family of models wants to be run, as data: a published method is a row, with its reason and its source. */

import type { Prediction, SamplerName, Spacing } from "./contract.ts";

export interface Recipe {
  /** Default: what the model's own scheduler file says. */
  readonly sampler?: SamplerName;
  readonly spacing?: Spacing;
  readonly prediction?: Prediction;
  /** The default number of steps. */
  readonly steps: number;
  /** The default guidance scale; 0 runs the prompt alone. */
  readonly guidance: number;
  /** Width and height in pixels that the weights were trained on. */
  readonly size: number;
  /** What the weights were made for; anything else wants `unguarded`. Left out: anything goes. */
  readonly allowed: {
    readonly steps?: readonly number[];
    /** A scale up to this. */
    readonly guidance?: number;
    readonly spacing?: readonly Spacing[];
    readonly prediction?: readonly Prediction[];
  };
  /** Why the weights want this, and what goes wrong otherwise. */
  readonly why: string;
  readonly source: string;
}

const LIGHTNING = "ByteDance/SDXL-Lightning, model card; Lin et al. 2024 (arXiv 2402.13929)";

function lightning(steps: number, prediction: Prediction, why: string): Recipe {
  return {
    sampler: "euler",
    spacing: "trailing",
    prediction,
    steps,
    guidance: 0,
    size: 1024,
    allowed: { steps: [steps], guidance: 1, spacing: ["trailing"], prediction: [prediction] },
    why,
    source: LIGHTNING,
  };
}

const FROM_PURE_NOISE = "Distilled from timestep 999 on with guidance already in the weights: leading spacing starts " +
  "below the noise that they expect, guidance on top burns the colours.";

export const recipes: Readonly<Record<string, Recipe>> = {
  "base": {
    steps: 50,
    guidance: 5,
    size: 1024,
    allowed: {},
    why: "Sampler, spacing and prediction are the checkpoint's own; a single file has none and gets SDXL base's.",
    source: "diffusers' StableDiffusionXLPipeline: 50 steps, guidance 5",
  },
  "lightning-1step": lightning(1, "sample", "The 1-step weights predict x0: read as epsilon they give noise."),
  "lightning-2step": lightning(2, "epsilon", FROM_PURE_NOISE),
  "lightning-4step": lightning(4, "epsilon", FROM_PURE_NOISE),
  "lightning-8step": lightning(8, "epsilon", FROM_PURE_NOISE),
};
