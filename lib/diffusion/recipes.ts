/**
 * How each family of models wants to be run, as data: a published method is a row, with its reason and its source.
 * Model cards are those of the Hugging Face hub. LoRA rows are run on SDXL base or any of its fine-tunes.
 */

import type { Prediction, SamplerName, Spacing } from "./contract.ts";

/** From and to, both allowed. */
export interface Range {
  /** The least that is allowed. */
  readonly from: number;
  /** The most that is allowed. */
  readonly to: number;
}

/** How a family of weights wants to be run: defaults, what is allowed, and why. */
export interface Recipe {
  /** Default: what the model's own scheduler file says. */
  readonly sampler?: SamplerName;
  /** Default: that of the scheduler file, or of `timesteps`. */
  readonly spacing?: Spacing;
  /** Default: what the checkpoint says of itself. */
  readonly prediction?: Prediction;
  /** The timesteps themselves, where no spacing gives them. */
  readonly timesteps?: readonly number[];
  /** The default number of steps. */
  readonly steps: number;
  /** The default guidance scale; 0 runs the prompt alone. */
  readonly guidance: number;
  /** The U-Net takes the scale as an input of its own, and runs once: LCM's fully distilled form. */
  readonly guidanceInput?: "embedding";
  /** How much noise ddim and tcd bring back, 0 … 1. Default: the sampler's own. */
  readonly eta?: number;
  /** Width and height in pixels that the weights were trained on. */
  readonly size: number;
  /** How strongly the family's LoRA goes in, for those that are one. */
  readonly loraStrength?: number;
  /** What the weights were made for; anything else wants `unguarded`. Left out: anything goes. */
  readonly allowed: {
    /** Left out: any, since a sampler decides how a step is taken, not where. */
    readonly sampler?: readonly SamplerName[];
    readonly steps?: readonly number[] | Range;
    readonly guidance?: Range;
    readonly spacing?: readonly Spacing[];
    readonly prediction?: readonly Prediction[];
  };
  /** Why the weights want this, and what goes wrong otherwise. */
  readonly why: string;
  /** The publication or model card that says so. */
  readonly source: string;
}

const NO_GUIDANCE: Range = { from: 0, to: 1 };

const FROM_PURE_NOISE = "Distilled from timestep 999 on with guidance already in the weights: leading spacing starts " +
  "below the noise that they expect, guidance on top burns the colours.";
const X0 = "The 1-step weights predict x0: read as epsilon they give noise.";

const LIGHTNING = "ByteDance/SDXL-Lightning, model card; Lin et al. 2024 (arXiv 2402.13929)";

/** Full model, U-Net and LoRA alike; there is no LoRA of 1 step. */
function lightning(steps: 1 | 2 | 4 | 8): Recipe {
  const prediction = steps === 1 ? "sample" : "epsilon";
  return {
    sampler: "euler",
    spacing: "trailing",
    prediction,
    steps,
    guidance: 0,
    size: 1024,
    loraStrength: steps === 1 ? undefined : 1,
    allowed: { steps: [steps], guidance: NO_GUIDANCE, spacing: ["trailing"], prediction: [prediction] },
    why: steps === 1 ? X0 : FROM_PURE_NOISE,
    source: LIGHTNING,
  };
}

/** The same weights as the model card's ComfyUI workflows run them: other sigmas after the first, other start noise. */
function comfyLightning(steps: 1 | 2 | 4 | 8): Recipe {
  const recipe = lightning(steps);
  return {
    ...recipe,
    spacing: "sgm-uniform",
    guidance: 1,
    allowed: { ...recipe.allowed, spacing: ["sgm-uniform"] },
    why: steps === 1
      ? X0
      : "ComfyUI's nearest to trailing is sgm_uniform; its normal and karras start or space otherwise.",
    source: `${LIGHTNING}, section ComfyUI Usage`,
  };
}

const HYPER = "ByteDance/Hyper-SD, model card; Ren et al. 2024 (arXiv 2404.13686)";

function hyperLora(steps: 2 | 4 | 8): Recipe {
  return {
    sampler: "ddim",
    spacing: "trailing",
    prediction: "epsilon",
    steps,
    guidance: 0,
    eta: 0,
    size: 1024,
    loraStrength: 1,
    allowed: { steps: [steps], guidance: NO_GUIDANCE, spacing: ["trailing"], prediction: ["epsilon"] },
    why: FROM_PURE_NOISE,
    source: HYPER,
  };
}

function pcm(kind: "normal" | "small", guidance: number, allowed: Range, steps: readonly number[]): Recipe {
  return {
    sampler: "ddim",
    spacing: "trailing",
    prediction: "epsilon",
    steps: 4,
    guidance,
    eta: 0,
    size: 1024,
    loraStrength: 1,
    allowed: {
      sampler: ["ddim", "euler"],
      steps,
      guidance: allowed,
      spacing: ["trailing"],
      prediction: ["epsilon"],
    },
    why: `Each LoRA of the ${kind}cfg family is for the steps in its name; DDIM or Euler, not LCM. ` +
      "The fewer steps, the less guidance they bear.",
    source: "wangfuyun/PCM_Weights, model card; Wang et al. 2024 (arXiv 2405.18407)",
  };
}

/** Every recipe that the kit knows, by name. */
export const recipes: Readonly<Record<string, Recipe>> = {
  "base": {
    steps: 50,
    guidance: 5,
    size: 1024,
    allowed: {},
    why: "Sampler, spacing and prediction are the checkpoint's own; a single file has none and gets SDXL base's.",
    source: "diffusers' StableDiffusionXLPipeline: 50 steps, guidance 5",
  },
  "lightning-1step": lightning(1),
  "lightning-2step": lightning(2),
  "lightning-4step": lightning(4),
  "lightning-8step": lightning(8),
  "comfy-lightning-1step": comfyLightning(1),
  "comfy-lightning-2step": comfyLightning(2),
  "comfy-lightning-4step": comfyLightning(4),
  "comfy-lightning-8step": comfyLightning(8),
  "turbo": {
    sampler: "euler-ancestral",
    spacing: "trailing",
    prediction: "epsilon",
    steps: 1,
    guidance: 0,
    size: 512,
    allowed: { steps: { from: 1, to: 4 }, guidance: NO_GUIDANCE, spacing: ["trailing"], prediction: ["epsilon"] },
    why: "Trained at 512 pixels for 1 to 4 steps from timestep 999, without guidance or negative prompts.",
    source: "stabilityai/sdxl-turbo, model card and scheduler file; Sauer et al. 2023 (arXiv 2311.17042)",
  },
  "comfy-turbo": {
    sampler: "euler-ancestral",
    spacing: "sd-turbo",
    prediction: "epsilon",
    steps: 1,
    guidance: 1,
    size: 512,
    allowed: { steps: { from: 1, to: 10 }, guidance: NO_GUIDANCE, spacing: ["sd-turbo"], prediction: ["epsilon"] },
    why: "Stability's own schedule goes down by 100 timesteps a step, whatever their number: not trailing.",
    source: "ComfyUI's SDTurboScheduler, as in its SDXL-Turbo example",
  },
  "lcm": {
    sampler: "lcm",
    spacing: "lcm",
    prediction: "epsilon",
    steps: 4,
    guidance: 0,
    size: 1024,
    loraStrength: 1,
    allowed: { steps: { from: 1, to: 8 }, guidance: { from: 0, to: 2 }, spacing: ["lcm"], prediction: ["epsilon"] },
    why: "A guidance of about 7.5 was distilled in: none or up to 2 on top, more breaks the picture.",
    source: "latent-consistency/lcm-lora-sdxl, model card; Luo et al. 2023 (arXiv 2311.05556)",
  },
  "lcm-full": {
    sampler: "lcm",
    spacing: "lcm",
    prediction: "epsilon",
    steps: 4,
    guidance: 8,
    guidanceInput: "embedding",
    size: 1024,
    allowed: { steps: { from: 1, to: 8 }, spacing: ["lcm"], prediction: ["epsilon"] },
    why: "The fully distilled U-Net takes the guidance scale as an input, so any scale costs one run of it.",
    source: "latent-consistency/lcm-sdxl, diffusers' guide to LCM; Luo et al. 2023 (arXiv 2310.04378)",
  },
  "tcd": {
    sampler: "tcd",
    spacing: "lcm",
    prediction: "epsilon",
    steps: 4,
    guidance: 0,
    eta: 0.3,
    size: 1024,
    loraStrength: 1,
    allowed: { steps: { from: 4, to: 50 }, guidance: NO_GUIDANCE, spacing: ["lcm"], prediction: ["epsilon"] },
    why: "More steps want a higher eta; a high eta blurs few steps.",
    source: "h1t/TCD-SDXL-LoRA, diffusers' guide to TCD; Zheng et al. 2024 (arXiv 2402.19159)",
  },
  "hyper-1step": {
    sampler: "lcm",
    timesteps: [800],
    prediction: "epsilon",
    steps: 1,
    guidance: 0,
    size: 1024,
    allowed: { steps: [1], guidance: NO_GUIDANCE, spacing: [], prediction: ["epsilon"] },
    why: "The 1-step U-Net is told timestep 800, though it starts from pure noise.",
    source: HYPER,
  },
  "hyper-2step": hyperLora(2),
  "hyper-4step": hyperLora(4),
  "hyper-8step": hyperLora(8),
  "hyper-8step-cfg": {
    ...hyperLora(8),
    guidance: 5,
    allowed: { ...hyperLora(8).allowed, guidance: { from: 5, to: 8 } },
    why: "The CFG-preserving LoRA was distilled to be guided by 5 to 8, negative prompts included.",
  },
  "hyper-unified": {
    ...hyperLora(2),
    sampler: "tcd",
    spacing: "lcm",
    steps: 1,
    eta: 1,
    allowed: { steps: { from: 1, to: 8 }, guidance: NO_GUIDANCE, spacing: ["lcm"], prediction: ["epsilon"] },
    why: "The 1-step LoRA serves 1 to 8 steps with TCD; a lower eta gives more detail in several steps.",
  },
  "dmd2-1step": {
    sampler: "lcm",
    timesteps: [399],
    prediction: "epsilon",
    steps: 1,
    guidance: 0,
    size: 1024,
    allowed: { steps: [1], guidance: NO_GUIDANCE, spacing: [], prediction: ["epsilon"] },
    why: "The 1-step U-Net is told timestep 399, though it starts from pure noise.",
    source: "tianweiy/DMD2, model card; Yin et al. 2024 (arXiv 2405.14867)",
  },
  "dmd2-4step": {
    sampler: "lcm",
    timesteps: [999, 749, 499, 249],
    prediction: "epsilon",
    steps: 4,
    guidance: 0,
    size: 1024,
    loraStrength: 1,
    allowed: { steps: [4], guidance: NO_GUIDANCE, spacing: [], prediction: ["epsilon"] },
    why: "Trained on timesteps 999, 749, 499 and 249, which are not the LCM sampler's own.",
    source: "tianweiy/DMD2, model card; Yin et al. 2024 (arXiv 2405.14867)",
  },
  "pcm-normalcfg": pcm("normal", 3, { from: 2, to: 9 }, [4, 8, 16]),
  "pcm-smallcfg": pcm("small", 1.5, { from: 0, to: 2 }, [2, 4, 8, 16]),
  "none": {
    steps: 50,
    guidance: 5,
    size: 1024,
    allowed: {},
    why: "No recipe: the model's own scheduler file, and whatever the request says.",
    source: "as base",
  },
};
