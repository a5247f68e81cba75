/** A comparison on the command line: models, prompts and how they are run, or a file that says the same. */

import { recipes } from "../diffusion/mod.ts";
import type { ComparedModel, ComparedPrompt, CompareOptions } from "../sweep/options.ts";
import type { Estimated, Spread, Summary } from "../sweep/summary.ts";
import type { TableRow } from "../view/table.ts";
import { type Arguments, type Options, quote, UsageError } from "./args.ts";
import { readComparison, readPrompts } from "./comparison_file.ts";
import { loraOf } from "./lora.ts";
import { seedsOf, sizeOf } from "./values.ts";

/** What a comparison is; a file says the same. */
export const COMPARISON = {
  model: {
    value: "NAME=PATH[,…]",
    about: "a model and how it is called, as often as there are models; after the path\n" +
      "unet=FILE, vae=FILE, tokenizer=DIR, lora=FILE[=STRENGTH], lora-mode=fuse, recipe=NAME",
    multiple: true,
  },
  recipe: { value: "NAME", about: "run every model by this recipe, several times for several", multiple: true },
  steps: { value: "N[,N…]", about: "run every model by its own recipe in these numbers of steps" },
  prompts: { value: "FILE", about: "a JSON list of texts or of {prompt, name, seed}, or a text a line" },
  prompt: { value: "TEXT", about: "a prompt, as often as there are prompts", multiple: true },
  seeds: { value: "N[,N…]", about: "one picture a seed, for prompts without their own; default 0" },
  size: { value: "WxH", about: "pixels; default each model's own" },
  clip: { value: "PATH", about: "a CLIP in safetensors, to score prompts and describe pictures" },
  reference: {
    value: "NAME[@STEPS]",
    about: "the model, or the model at a recipe or steps, that others are compared with",
  },
  pictures: { value: "FOLDER", about: "real pictures for the Fréchet distance; default the reference's" },
  "warm-up": { about: "run a step unmeasured after loading, so that every cell is warm" },
  records: { about: "keep every run as a record" },
} satisfies Options;

export const COMPARISON_FILE = {
  value: "[FILE.json]",
  about: "a whole comparison, in place of the options up to --records",
};

/** @throws UsageError for what cannot be meant, SyntaxError for a file that is no comparison */
export async function comparisonIn(args: Arguments): Promise<CompareOptions> {
  const file = args.text(COMPARISON_FILE.value);
  if (file === undefined) return await comparisonOf(args);
  const both = Object.keys(COMPARISON).find((name) => args.has(name));
  if (both !== undefined) throw new UsageError(`Cannot use --${both} with ${file}: the file says it all. Give one.`);
  return await readComparison(file);
}

/** What the table of a comparison says of a row. */
export function rowOf(
  { model, recipe, steps, guidance, cells, warm, seconds, memory, quality, frechet, diversity }: Summary,
): TableRow {
  const spread = (value: Spread | undefined, digits: number) =>
    value && `${value.mean.toFixed(digits)}${value.count > 1 ? ` ± ${value.deviation.toFixed(digits)}` : ""}`;
  const estimate = (value: Estimated | undefined, digits: number) =>
    value && `${value.value.toFixed(digits)}${value.error === null ? "" : ` ± ${value.error.toFixed(digits)}`}`;
  const measured = {
    "prompt score": spread(quality.promptScore, 1),
    "retrieval": quality.retrieved && `${Math.round(100 * quality.retrieved.mean)} %`,
    "latent distance": spread(quality.latentDistance, 3),
    "PSNR dB": spread(quality.psnr, 1),
    "SSIM": spread(quality.ssim, 3),
    "perceptual": spread(quality.perceptual, 3),
    "Fréchet": estimate(frechet, 3),
    "diversity": estimate(diversity, 3),
  };
  return {
    model,
    recipe,
    steps,
    guidance,
    cells,
    "s a picture": `${seconds.total.median.toFixed(2)}${warm ? "" : "*"}`,
    "s a step": `${seconds.perStep.median.toFixed(3)}${warm ? "" : "*"}`,
    "peak GB": (memory.peak.most / 1e9).toFixed(2),
    ...Object.fromEntries(Object.entries(measured).filter(([, value]) => value !== undefined)),
  };
}

async function comparisonOf(args: Arguments): Promise<CompareOptions> {
  const models = args.texts("model").map(modelOf);
  if (models.length === 0) {
    throw new UsageError("Missing --model: a name and a path, for example --model base=models/pocket/base.");
  }
  const { clip, reference, pictures } = {
    clip: args.text("clip"),
    reference: referenceOf(args.text("reference")),
    pictures: args.text("pictures"),
  };
  const chosen = args.texts("recipe");
  for (const name of chosen) wantRecipe("recipe", name);
  return {
    models,
    recipes: chosen.length > 0 ? chosen : undefined,
    steps: args.text("steps")?.split(",").map((text) => {
      const steps = Number(text);
      if (text.trim() !== "" && Number.isInteger(steps) && steps > 0) return steps;
      throw new UsageError(
        `Cannot use --steps ${quote(args.text("steps") ?? "")}: whole numbers were wanted, "8,4,2".`,
      );
    }),
    prompts: await promptsOf(args),
    seeds: args.has("seeds") ? seedsOf("seeds", args.text("seeds") ?? "") : undefined,
    size: sizeOf("size", args.text("size")),
    measure: { warmUp: args.has("warm-up") ? "step" : "none", records: args.has("records") ? "all" : "none" },
    quality: { clip, reference, pictures },
  };
}

async function promptsOf(args: Arguments): Promise<readonly (string | ComparedPrompt)[]> {
  const file = args.text("prompts");
  const prompts = [...file === undefined ? [] : await readPrompts(file), ...args.texts("prompt")];
  if (prompts.length > 0) return prompts;
  throw new UsageError("Missing --prompts: what to draw, for example --prompts data/prompts/article.json.");
}

/** NAME=PATH,unet=FILE,lora=FILE=0.8,… */
function modelOf(text: string): ComparedModel {
  const [first, ...rest] = text.split(",");
  const [, name, model] = /^([^=]+)=(.+)$/.exec(first) ?? [];
  if (name === undefined || model === undefined) {
    throw new UsageError(
      `Cannot use --model ${quote(text)}: NAME=PATH was wanted, for example base=models/pocket/base.`,
    );
  }
  const loras: { path: string; strength?: number }[] = [];
  const found: Record<string, string> = {};
  for (const part of rest) {
    const [, key, value] = /^([a-z-]+)=(.+)$/.exec(part) ?? [];
    if (key === "lora" && value !== undefined) loras.push(loraOf(value));
    else if (value !== undefined && MODEL_KEYS.includes(key) && found[key] === undefined) found[key] = value;
    else {
      throw new UsageError(
        `Cannot use ${quote(part)} in --model ${quote(text)}: ${MODEL_KEYS.join("=, ")}= or lora= were wanted. ` +
          `A path with a comma in it goes into a JSON file.`,
      );
    }
  }
  const { unet, vae, tokenizer, recipe, "lora-mode": mode } = found;
  if (recipe !== undefined) wantRecipe("model", recipe);
  if (mode !== undefined && mode !== "branch" && mode !== "fuse") {
    throw new UsageError(`Cannot use lora-mode=${mode}: branch or fuse was wanted.`);
  }
  return { name, model, unet, vae, tokenizer, recipe, loraMode: mode, loras };
}

const MODEL_KEYS = ["unet", "vae", "tokenizer", "recipe", "lora-mode"];

function wantRecipe(option: string, name: string): void {
  if (Object.hasOwn(recipes, name)) return;
  throw new UsageError(
    `Cannot use recipe ${quote(name)} in --${option}: wanted is one of ${Object.keys(recipes).join(", ")}.`,
  );
}

function referenceOf(text: string | undefined): NonNullable<CompareOptions["quality"]>["reference"] {
  const [, model, way] = /^(.+)@([^@]+)$/.exec(text ?? "") ?? [];
  if (model === undefined || way === undefined) return text;
  return { model, ...(/^\d+$/.test(way) ? { steps: Number(way) } : { recipe: way }) };
}
