/**
 * What weights were most likely distilled to. Nothing in the tensors says it, so it is read from what people wrote:
 * the published file and repository names, the header's metadata, the scheduler file; and said so, or not said at all.
 * Where the hash of a published file is known, its name is the one that it was published under.
 *
 * File names are those of the repositories on the Hugging Face hub that each row names.
 */

import { basename, dirname, resolve } from "node:path";
import { type Prediction, recipes, type SchedulerConfig } from "../../diffusion/mod.ts";
import type { Distillation } from "./inspection.ts";
import type { PublishedFile } from "./published.ts";

/** A family, and the recipes for it, the best first. */
export interface Guess {
  readonly family: string;
  readonly recipes: readonly string[];
  /** Where one recipe serves several distillations: the steps of this one. */
  readonly steps?: number;
}

export interface Guessed extends Distillation, Guess {}

type Row = readonly [RegExp, (match: RegExpMatchArray) => Guess];

const steps = (count: string) => `${count} step${count === "1" ? "" : "s"}`;

/** Published file names, without their ending. */
const FILES: readonly Row[] = [
  // ByteDance/SDXL-Lightning; the pocket family follows its names
  [/^(?:sdxl_)?lightning_([1248])step(?:_unet)?(?:_x0)?(?:_lora)?$/, ([, n]) => ({
    family: `SDXL-Lightning, ${steps(n)}`,
    recipes: [`lightning-${n}step`, `comfy-lightning-${n}step`],
  })],
  // ByteDance/Hyper-SD
  [/^Hyper-SDXL-1step-Unet(?:-Comfyui)?$/, () => ({ family: "Hyper-SD U-Net, 1 step", recipes: ["hyper-1step"] })],
  [/^Hyper-SDXL-1step-lora$/, () => ({ family: "Hyper-SD unified LoRA, 1 to 8 steps", recipes: ["hyper-unified"] })],
  [/^Hyper-SDXL-([248])steps?-lora$/, ([, n]) => ({
    family: `Hyper-SD LoRA, ${n} steps`,
    recipes: [`hyper-${n}step`],
  })],
  [/^Hyper-SDXL-(8|12)steps?-CFG-lora$/, ([, n]) => ({
    family: `Hyper-SD LoRA that keeps guidance, ${n} steps`,
    recipes: n === "8" ? ["hyper-8step-cfg"] : [],
  })],
  // stabilityai/sdxl-turbo
  [/^sd_xl_turbo_1\.0$/, () => ({ family: "SDXL-Turbo, 1 to 4 steps", recipes: ["turbo", "comfy-turbo"] })],
  // tianweiy/DMD2
  [/^dmd2_sdxl_([14])step_(?:unet|lora)$/, ([, n]) => ({
    family: `DMD2, ${steps(n)}`,
    recipes: [`dmd2-${n}step`],
  })],
  // wangfuyun/PCM_Weights
  [/^pcm_sdxl_(normal|small)cfg_(2|4|8|16)step(?:_converted)?$/, ([, kind, n]) => ({
    family: `PCM LoRA, ${kind} guidance, ${n} steps`,
    recipes: [`pcm-${kind}cfg`],
    steps: Number(n),
  })],
  // stabilityai/stable-diffusion-xl-base-1.0
  [/^sd_xl_base_(?:0\.9|1\.0)(?:_0\.9vae)?$/, () => ({ family: "SDXL base, not distilled", recipes: ["base"] })],
];

/** Published repositories: a folder of that name, or the hub's cache of it. */
const REPOSITORIES: readonly Row[] = [
  [/^(?:stabilityai--)?sdxl-turbo$/, () => ({
    family: "SDXL-Turbo, 1 to 4 steps",
    recipes: ["turbo", "comfy-turbo"],
  })],
  [/^(?:latent-consistency--)?lcm-lora-sdxl$/, () => ({ family: "LCM-LoRA, 1 to 8 steps", recipes: ["lcm"] })],
  [/^(?:latent-consistency--)?lcm-lora-ssd-1b$/, () => ({ family: "LCM-LoRA of SSD-1B", recipes: ["lcm"] })],
  [/^(?:latent-consistency--)?lcm-sdxl$/, () => ({ family: "LCM, 1 to 8 steps", recipes: ["lcm-full"] })],
  [/^(?:h1t--)?TCD-SDXL-LoRA$/, () => ({ family: "TCD LoRA, 4 steps and more", recipes: ["tcd"] })],
  [/^(?:segmind--)?Segmind-VegaRT$/, () => ({ family: "Segmind-VegaRT, an LCM-LoRA", recipes: ["lcm"] })],
  [/^(?:stabilityai--)?stable-diffusion-xl-base-(?:0\.9|1\.0)$/, () => ({
    family: "SDXL base, not distilled",
    recipes: ["base"],
  })],
];

/** Words that authors of fine-tunes and merges put into names. */
const WORDS: readonly Row[] = [
  [/lightning.*?([1248])[-_ ]?steps?|([1248])[-_ ]?steps?.*lightning/, ([, after, before]) => ({
    family: `SDXL-Lightning, ${steps(after ?? before)}`,
    recipes: [`lightning-${after ?? before}step`],
  })],
  [/lightning/, () => ({
    family: "SDXL-Lightning, its steps untold",
    recipes: ["lightning-4step", "lightning-8step"],
  })],
  [/hyper.*?([248])[-_ ]?steps?/, ([, n]) => ({ family: `Hyper-SD, ${n} steps`, recipes: [`hyper-${n}step`] })],
  [/hyper-?sd|hyper-?xl|[-_ ]hyper/, () => ({
    family: "Hyper-SD, its steps untold",
    recipes: ["hyper-8step", "hyper-4step"],
  })],
  [/dmd-?2/, () => ({ family: "DMD2, 4 steps", recipes: ["dmd2-4step"] })],
  [/turbo/, () => ({ family: "SDXL-Turbo, or a merge of it", recipes: ["turbo"] })],
  [/(?:^|[^a-z])lcm(?:[^a-z]|$)/, () => ({ family: "LCM", recipes: ["lcm"] })],
  [/(?:^|[^a-z])tcd(?:[^a-z]|$)/, () => ({ family: "TCD", recipes: ["tcd"] })],
  [/(?:^|[^a-z])pcm(?:[^a-z]|$)/, () => ({ family: "PCM", recipes: ["pcm-normalcfg", "pcm-smallcfg"] })],
];

/** Header entries in which authors name their model. */
const TITLES = ["modelspec.title", "ss_output_name", "modelspec.description", "ss_training_comment"];

export interface Clues {
  readonly path: string;
  /** What the hash of its file, or of its U-Net's, is published under. */
  readonly published?: PublishedFile;
  readonly metadata: ReadonlyMap<string, string>;
  readonly scheduler?: SchedulerConfig;
  /** Whether the U-Net takes the guidance scale as an input. */
  readonly guidanceInput?: boolean;
}

/** The first thing that says what the weights were distilled to, from the surest to the vaguest. */
export function guessDistillation(clues: Clues): Guessed {
  const { published: hashed } = clues;
  const guess = hashed && byName(`${hashed.repository}/${hashed.file}`);
  if (hashed === undefined || guess?.certainty !== "published name") return byWords(clues);
  return {
    ...guess,
    certainty: "published hash",
    reason: `by its sha256, that of ${hashed.file} of ${hashed.repository}`,
  };
}

function byWords({ path, metadata, scheduler, guidanceInput }: Clues): Guessed {
  const named = byName(path);
  if (named) return named;
  const name = basename(resolve(path));
  const stem = stemOf(name);
  if (guidanceInput) {
    return {
      family: "LCM, 1 to 8 steps",
      recipes: ["lcm-full"],
      certainty: "structure",
      reason: "by its structure: the guidance scale is an input of the U-Net",
    };
  }
  const word = find(WORDS, stem);
  if (word) return { ...word, certainty: "likely", reason: `by a word in its name, ${name}` };
  for (const key of TITLES) {
    const text = metadata.get(key);
    const found = text === undefined ? undefined : find(WORDS, text);
    if (text !== undefined && found) {
      return { ...found, certainty: "likely", reason: `by a word in its metadata, ${key} "${shorten(text)}"` };
    }
  }
  return byScheduler(scheduler) ?? {
    family: "cannot tell",
    recipes: ["base"],
    certainty: "unknown",
    reason: "neither its name nor its metadata says, and tensors cannot",
  };
}

const stemOf = (name: string) => name.replace(/\.(safetensors|bin|ckpt|pth)$/i, "");

/** Where a file or its repository has a name that was given at publication. */
function byName(path: string): Guessed | undefined {
  const absolute = resolve(path);
  const name = basename(absolute);
  const published = find(FILES, stemOf(name).replace(/[._-]fp(16|32)$/i, ""));
  if (published) return { ...published, certainty: "published name", reason: `by its file name, ${name}` };
  for (const folder of foldersOf(absolute)) {
    const repository = find(REPOSITORIES, folder.replace(/^models--/, ""));
    if (repository) {
      return { ...repository, certainty: "published name", reason: `by its repository's name, ${folder}` };
    }
  }
}

function find(rows: readonly Row[], text: string): Guess | undefined {
  for (const [pattern, guess] of rows) {
    const match = text.match(new RegExp(pattern, "i"));
    if (match) return guess(match);
  }
}

/** The path's own name and its folders', as far as the hub's cache puts a file below its repository. */
function foldersOf(path: string): readonly string[] {
  const levels = 6; // models--ORG--NAME/snapshots/COMMIT/unet/file
  const names: string[] = [];
  for (let at = path; names.length < levels && at !== dirname(at); at = dirname(at)) names.push(basename(at));
  return names;
}

/** Sampler and spacing that only few-step models ask for in their scheduler file. */
function byScheduler(scheduler: SchedulerConfig | undefined): Guessed | undefined {
  const likely = (family: string, recipe: string, what: string): Guessed => ({
    family,
    recipes: [recipe],
    certainty: "likely",
    reason: `by its scheduler file, which asks for ${what}`,
  });
  if (scheduler?.sampler === "lcm") return likely("LCM", "lcm", "the LCM sampler");
  if (scheduler?.sampler === "tcd") return likely("TCD", "tcd", "the TCD sampler");
  if (scheduler?.sampler === "euler-ancestral" && scheduler.spacing === "trailing") {
    return likely("SDXL-Turbo, or a model run like it", "turbo", "Euler ancestral with trailing spacing");
  }
}

/** The recipes that a prediction type allows, and a sentence for each that it rules out. */
export function allowedRecipes(
  names: readonly string[],
  prediction: Prediction,
): { readonly fitting: readonly string[]; readonly notes: readonly string[] } {
  const clashes = (name: string) => {
    const wanted = recipes[name].prediction;
    // One-step recipes set the prediction type themselves: a file has no way to tell x0.
    return prediction === "v" && wanted !== undefined && wanted !== "v";
  };
  return {
    fitting: names.filter((name) => !clashes(name)),
    notes: names.filter(clashes).map((name) =>
      `The recipe ${name} is for weights that predict ${recipes[name].prediction}; these predict ${prediction}.`
    ),
  };
}

export function shorten(text: string, length = 60): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
