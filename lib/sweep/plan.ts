/** A comparison as a list of cells, before any of them has run. Plain data: it goes through JSON unchanged. */

import { recipes } from "../diffusion/mod.ts";
import type { Model } from "../model/model.ts";
import { open } from "../model/open.ts";
import { digestsOf } from "../model/record.ts";
import { openClip } from "../weights/clip.ts";
import { sha256 } from "../weights/digest.ts";
import type { Content, Labels } from "./cell.ts";
import { cellContent, keyOf, lorasContent, type ModelContent, modelContent } from "./content.ts";
import type {
  ComparedModel,
  ComparedPrompt,
  CompareOptions,
  MeasureOptions,
  QualityOptions,
  Seed,
  Way,
} from "./options.ts";
import { picturesIn } from "./features.ts";
import { referenceAmong } from "./reference.ts";
import { familyOf, waysOf } from "./ways.ts";

/** A model of the plan, with what its files hold. */
export interface PlannedModel {
  /** As the comparison names it. */
  readonly options: ComparedModel;
  /** sha256 of each weight file by part and file name, as in a record. */
  readonly digests: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A picture that is to be made. */
export interface PlannedCell {
  /** sha256 of `content`: equal work has equal keys, whatever it is called. */
  readonly key: string;
  /** Index into the plan's models. */
  readonly modelIndex: number;
  /** How the model is run. */
  readonly way: Way & { readonly recipe: string };
  /** What it is called in figures. */
  readonly labels: Labels;
  /** Everything that decides its bits. */
  readonly content: Content;
}

/** A comparison, before or after it has run. */
export interface Plan {
  /** In the order of the comparison. */
  readonly models: readonly PlannedModel[];
  /** In the order of the comparison. */
  readonly prompts: readonly ComparedPrompt[];
  /** In the order of their positions; those of one model stand together, so that each is loaded once. */
  readonly cells: readonly PlannedCell[];
  /** How it is measured. */
  readonly measure: Required<MeasureOptions>;
  /** What quality is measured by. */
  readonly quality: QualityOptions;
  /** What was asked for and left out, a sentence each: steps that a model's weights were not made for. */
  readonly omitted: readonly string[];
}

export interface PlanHooks {
  /** sha256 of a file, where something remembers it. Default: reads it, once a process. */
  readonly digest?: (path: string) => Promise<string>;
  /** Told what a user should know, a sentence each. Default `console.warn`. */
  readonly warn?: (message: string) => void;
}

/**
 * Plans a comparison: opens every model's headers, hashes its weights, and lists the cells. Nothing is loaded or run.
 *
 * @throws RangeError, one sentence, for what cannot be run: nothing asked for, an unknown recipe, one cell asked for
 * twice, steps or guidance that a recipe refuses
 */
export async function planComparison(options: CompareOptions, hooks: PlanHooks = {}): Promise<Plan> {
  const { digest = sha256, warn = console.warn } = hooks;
  const prompts = options.prompts.map((prompt) => typeof prompt === "string" ? { prompt } : prompt);
  wantSomething(options);
  const models: PlannedModel[] = [];
  const cells: PlannedCell[] = [];
  const omitted: string[] = [];
  for (const [modelIndex, described] of options.models.entries()) {
    const { ways, omitted: left } = await waysOf(described, options);
    omitted.push(...left);
    // For the headers alone, LoRAs stand beside the weights: fusing them would compute.
    await using model = await open(described.model, { ...openOptions(described), loraMode: "branch", warn });
    models.push({ options: described, digests: await digestsOf(model, digest) });
    const shared = await modelContent(model, { ...settingsOf(described), digest });
    for (const way of ways) {
      const alike = new Map<string | undefined, Alike>(); // by what guidance pushes away from
      const loras = await lorasContent(model, way, digest);
      for (const [promptIndex, prompt] of prompts.entries()) {
        const { negative } = prompt;
        const shares = alike.get(negative) ??
          alikeOf(model, { shared, loras, way, prompt, size: described.size ?? options.size, name: described.name });
        alike.set(negative, shares);
        for (const seed of seedsOf(prompt, options.seeds)) {
          cells.push(plannedCell(shares, { position: cells.length, modelIndex, way, promptIndex, prompt, seed }));
        }
      }
    }
  }
  wantDifferent(cells);
  if (cells.length === 0) throw new RangeError(`Cannot compare: no cell is left to run. ${omitted.join(" ")}`);
  await wantMeasurable(options.quality ?? {}, cells);
  const { warmUp = "none", records = "none" } = options.measure ?? {};
  return {
    models,
    prompts: prompts.map(inJson),
    cells,
    measure: { warmUp, records },
    quality: options.quality ?? {},
    omitted,
  };
}

/** What `open` is given, of what a comparison says about a model. */
export function openOptions(
  { name: _, model: __, recipe: ___, recipes: ____, size: _____, ...options }: ComparedModel,
) {
  return options;
}

/** What of a model's opening is in its cells' keys. */
export function settingsOf({ device = "cpu", precision = "fp32", loraMode = "branch" }: ComparedModel) {
  return { device, precision, loraMode };
}

/** What the cells of one way and negative prompt share: arrays of theirs are one, so that many cells stay small. */
interface Alike {
  readonly content: Content;
  readonly labels: Omit<Labels, "position" | "promptIndex" | "promptName" | "prompt" | "seed">;
}

interface AlikeOptions {
  readonly shared: ModelContent;
  readonly loras: Content["loras"];
  readonly way: PlannedCell["way"];
  readonly prompt: ComparedPrompt;
  readonly size: CompareOptions["size"];
  readonly name: string;
}

function alikeOf(model: Model, { shared, loras, way, prompt, size, name }: AlikeOptions): Alike {
  const request = { ...way, prompt: prompt.prompt, negative: prompt.negative, seed: 0n, size };
  const content = cellContent(model, shared, loras, request);
  const { guidance, embeddedGuidance } = model.plan(request);
  return {
    content,
    labels: {
      model: name,
      family: familyOf(way.recipe),
      recipe: way.recipe,
      steps: stepsOf(way),
      sampler: content.sampler,
      guidance: embeddedGuidance ?? guidance,
      negative: prompt.negative ?? null,
      width: content.width,
      height: content.height,
      device: content.device,
      precision: content.precision,
    },
  };
}

interface CellOptions extends Pick<PlannedCell, "modelIndex" | "way"> {
  readonly position: number;
  readonly promptIndex: number;
  readonly prompt: ComparedPrompt;
  readonly seed: bigint;
}

function plannedCell(alike: Alike, { position, modelIndex, way, promptIndex, prompt, seed }: CellOptions): PlannedCell {
  const content = { ...alike.content, prompt: prompt.prompt, seed: String(seed) };
  const promptName = prompt.name ?? prompt.prompt;
  const labels = { ...alike.labels, position, promptIndex, promptName, prompt: prompt.prompt, seed: content.seed };
  return { key: keyOf(content), modelIndex, way, content, labels };
}

/** As it was asked for: Heun's steps run the network twice each. */
function stepsOf({ recipe, steps, timesteps, sigmas }: PlannedCell["way"]): number {
  return timesteps?.length ?? (sigmas && sigmas.length - 1) ?? steps ?? recipes[recipe].steps;
}

function seedsOf({ seed, seeds }: ComparedPrompt, shared: readonly Seed[] = [0]): bigint[] {
  return (seeds ?? (seed === undefined ? shared : [seed])).map(seedOf);
}

/** torch's seeds: −2⁶³ … 2⁶⁴ − 1. @throws RangeError for anything else */
function seedOf(seed: Seed): bigint {
  const whole = typeof seed === "bigint" ||
    (typeof seed === "number" ? Number.isSafeInteger(seed) : /^-?\d{1,20}$/.test(seed));
  const value = whole ? BigInt(seed) : undefined;
  if (value !== undefined && value >= -(2n ** 63n) && value < 2n ** 64n) return value;
  throw new RangeError(
    `Cannot draw from seed ${seed}: a whole number of up to 64 bits was wanted, as text or bigint above 2^53.`,
  );
}

/** A plan is plain data, and JSON knows no bigint. */
function inJson(prompt: ComparedPrompt): ComparedPrompt {
  const { seed, seeds } = prompt;
  return {
    ...prompt,
    ...(seed !== undefined && { seed: String(seed) }),
    ...(seeds !== undefined && { seeds: seeds.map(String) }),
  };
}

function wantSomething({ models, prompts, recipes, steps, seeds }: CompareOptions): void {
  const empty = Object.entries({ models, prompts, recipes, steps, seeds }).find(([, list]) => list?.length === 0);
  if (empty) throw new RangeError(`Cannot compare: the list of ${empty[0]} is empty; at least one was wanted.`);
  if (recipes && steps) {
    throw new RangeError(
      "Cannot compare by recipes and steps at once: steps are those of each model's own recipe. Give one of them.",
    );
  }
  const wrong = steps?.find((count) => !Number.isInteger(count) || count < 1);
  if (wrong !== undefined) throw new RangeError(`Cannot compare in ${wrong} steps: a whole number from 1 was wanted.`);
}

/** Hours of running must not end in a name that was mistyped. */
async function wantMeasurable(quality: QualityOptions, cells: readonly PlannedCell[]): Promise<void> {
  const { clip, reference, pictures, captions } = quality;
  if (clip === undefined && (pictures !== undefined || captions !== undefined)) {
    throw new RangeError(
      "Cannot compare with pictures or captions alone: a CLIP was wanted that describes them (quality.clip).",
    );
  }
  if (pictures !== undefined) await picturesIn(pictures);
  if (clip !== undefined) await openClip(clip);
  if (reference !== undefined) referenceAmong(cells.map(({ labels }) => labels), reference);
}

/** Two rows with the same labels and the same work would be one picture twice in every figure. */
function wantDifferent(cells: readonly PlannedCell[]): void {
  const seen = new Set<string>();
  for (const { key, labels: { model, recipe, prompt, seed } } of cells) {
    const name = `${key} ${model} ${recipe}`;
    if (seen.has(name)) {
      throw new RangeError(
        `Cannot compare ${model} by ${recipe} with itself: prompt "${prompt}" with seed ${seed} is asked for twice.`,
      );
    }
    seen.add(name);
  }
}
