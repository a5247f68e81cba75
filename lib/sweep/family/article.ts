/**
 * The models that "SDXL-Lightning: quick look and comparison" (Félix Sanz, 2024) compares, as `compare` takes them: which
 * weights, in which form, by which recipe, in how many steps. Where the weights lie is told from outside.
 */

import promptsAndSeeds from "../../../data/prompts/article.json" with { type: "json" };
import type { ComparedModel, ComparedPrompt } from "../options.ts";

/** A prompt of the article: its subject in a word, and the one seed that the article draws it from. */
export interface ArticlePrompt extends ComparedPrompt {
  /** "food", "portrait", … */
  readonly name: string;
  /** Of torch's generator. */
  readonly seed: number;
}

/** The article's six prompts with their seeds. */
export const articlePrompts: readonly ArticlePrompt[] = promptsAndSeeds;

/** The article's sections; "comfyui" runs Lightning's full checkpoints by ComfyUI's schedule. */
export const FAMILY_SECTIONS = ["base", "lightning", "custom", "turbo", "lcm", "comfyui"] as const;
/** One of the article's sections. */
export type FamilySection = typeof FAMILY_SECTIONS[number];

/** Models that were distilled from one another, as far as they are there, as a comparison takes them. */
export interface Family {
  /** All of them, section by section: `compare({ models: family.models, … })`. */
  readonly models: readonly ComparedModel[];
  /** The models of each section of the article; empty where none is there. */
  readonly sections: Readonly<Record<FamilySection, readonly ComparedModel[]>>;
  /** What the article has and this family lacks. */
  readonly missing: readonly MissingModel[];
  /** What is else to be known, a sentence each: a form that had to be made in another layout. */
  readonly notes: readonly string[];
  /** A CLIP that scores the family's pictures, where there is one: `compare({ quality: { clip } })`. */
  readonly clip?: string;
}

/** A model of the article that is not there. */
export interface MissingModel {
  /** Where the article has it. */
  readonly section: FamilySection;
  /** "Lightning LoRA in 8 steps" */
  readonly model: string;
  /** What is missing, a sentence. */
  readonly why: string;
}

/** What the published figures call our models, by our names: `costBars(runs, { names: publishedNames })`. */
export const publishedNames: Readonly<Record<string, string>> = {
  "base": "SDXL base",
  "Lightning full": "SDXL-Lightning full",
  "Lightning LoRA": "SDXL-Lightning LoRA",
  "Turbo": "SDXL-Turbo",
  "LCM-LoRA": "LCM-LoRA",
};

/** Steps that Lightning was distilled for; its LoRAs begin at 2. */
export type LightningSteps = 8 | 4 | 2 | 1;
const LIGHTNING: readonly LightningSteps[] = [8, 4, 2, 1];
const LIGHTNING_LORA = [8, 4, 2] as const;

/** How `open` is told where weights lie. */
export type Opening = Pick<ComparedModel, "model" | "unet" | "tokenizer" | "size">;

/** Where a family's weights lie. */
export interface Shelf {
  readonly base: Opening;
  /** The guidance that the base was made for. */
  readonly guidance: number;
  readonly full: (steps: LightningSteps) => Opening;
  readonly unet: (steps: LightningSteps) => Opening;
  /** Of a LoRA to put on the base, or on the custom model. */
  readonly lora: (steps: 8 | 4 | 2) => string;
  readonly custom: Opening;
  readonly turbo: Opening;
  readonly lcm: string;
}

/** A model of the article on a shelf, there or not. */
export interface Listed {
  readonly section: FamilySection;
  readonly model: ComparedModel;
}

const inSteps = (steps: number) => `${steps} step${steps === 1 ? "" : "s"}`;

/** How a listed model is called in a sentence: "Lightning LoRA in 8 steps". */
function titleOf({ model: { name, recipe } }: Listed): string {
  const [, steps] = /-(\d+)step$/.exec(recipe ?? "") ?? [];
  return steps === undefined ? name : `${name} in ${inSteps(Number(steps))}`;
}

/** Every model of the article, in its order. LoRAs are fused, as there: a step then costs what a full model's does. */
export function listArticle({ base, guidance, full, unet, lora, custom, turbo, lcm }: Shelf): readonly Listed[] {
  const guided = [{ recipe: "base", steps: 50, guidance }];
  const listed: Listed[] = [];
  const put = (section: FamilySection, model: ComparedModel) => listed.push({ section, model });
  const fused = (opening: Opening, path: string) => ({ ...opening, loras: [path], loraMode: "fuse" as const });

  put("base", { name: "base", ...base, recipes: guided });
  for (const steps of LIGHTNING) put("lightning", { name: "Lightning full", ...full(steps), recipe: recipeFor(steps) });
  for (const steps of LIGHTNING) {
    put("lightning", { name: "Lightning U-Net", ...unet(steps), recipe: recipeFor(steps) });
  }
  for (const steps of LIGHTNING_LORA) {
    put("lightning", { name: "Lightning LoRA", ...fused(base, lora(steps)), recipe: recipeFor(steps) });
  }
  put("custom", { name: "custom", ...custom, recipes: guided });
  for (const steps of LIGHTNING_LORA) {
    put("custom", { name: "custom + LoRA", ...fused(custom, lora(steps)), recipe: recipeFor(steps) });
  }
  put("turbo", { name: "Turbo", ...turbo, recipes: [4, 2, 1].map((steps) => ({ recipe: "turbo", steps })) });
  put("lcm", { name: "LCM-LoRA", ...fused(base, lcm), recipes: [8, 4, 2].map((steps) => ({ recipe: "lcm", steps })) });
  for (const steps of LIGHTNING) {
    put("comfyui", { name: "Lightning, ComfyUI", ...full(steps), recipe: `comfy-${recipeFor(steps)}` });
  }
  return listed;
}

const recipeFor = (steps: LightningSteps) => `lightning-${steps}step`;

/** Every path or reference that a model is opened from. */
export function pathsOf({ model, unet, loras = [] }: ComparedModel): readonly string[] {
  return [model, unet, ...loras.map((lora) => typeof lora === "string" ? lora : lora.path)].flatMap((path) =>
    path ?? []
  );
}

/**
 * A family of what is there.
 *
 * @param absent why a model cannot be opened, a sentence; undefined where it can
 */
export async function gather(
  listed: readonly Listed[],
  absent: (listed: Listed) => Promise<string | undefined>,
  { clip, notes = [] }: Partial<Pick<Family, "clip" | "notes">> = {},
): Promise<Family> {
  const there: Listed[] = [];
  const missing: MissingModel[] = [];
  for (const one of listed) {
    const why = await absent(one);
    if (why === undefined) there.push(one);
    else missing.push({ section: one.section, model: titleOf(one), why });
  }
  const of = (wanted: FamilySection) => there.filter(({ section }) => section === wanted).map(({ model }) => model);
  return {
    models: there.map(({ model }) => model),
    sections: {
      base: of("base"),
      lightning: of("lightning"),
      custom: of("custom"),
      turbo: of("turbo"),
      lcm: of("lcm"),
      comfyui: of("comfyui"),
    },
    missing,
    notes,
    ...(clip !== undefined && { clip }),
  };
}
