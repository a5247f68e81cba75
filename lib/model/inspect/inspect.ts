/** `inspect(path)`: what a checkpoint, a part of one, or a LoRA holds, and how to run it. Headers are read, no weights. */

import { basename, join } from "node:path";
import { type SchedulerConfig, SDXL_SCHEDULER } from "../../diffusion/mod.ts";
import type { Contents, Fault, Part, PartName } from "../../weights/checkpoint.ts";
import { kindOf } from "../../weights/files.ts";
import { CLIP_FOLDER, openContents, tokenizersOf } from "../../weights/open.ts";
import { openSafetensors, type SafetensorsFile, type TensorEntry } from "../../weights/safetensors.ts";
import type { Weights } from "../../weights/weights.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { readScheduler } from "../scheduler.ts";
import { computings } from "./computing.ts";
import { commandsFor } from "./commands.ts";
import { countBlocks, countDTypes, remarks } from "./counts.ts";
import { allowedRecipes, guessDistillation, type Guessed } from "./distillation.ts";
import type { Architecture, CheckpointInspection, Inspection, PartReport } from "./inspection.ts";
import { encodes, reportKeys, setAside } from "./keys.ts";
import { inspectLora, isLora } from "./lora.ts";
import { nameFiles } from "./names.ts";
import { predictionOf } from "./prediction.ts";
import { hashesOf, type HashHabit } from "./published.ts";
import { POCKET, structureOf } from "./structure.ts";

export type { Inspection } from "./inspection.ts";

const PARTS: readonly PartName[] = ["unet", "vae", "text_encoder", "text_encoder_2"];

/** A LoRA's repository holds nothing but this file, by diffusers' name. */
const LORA_FILE = "pytorch_lora_weights.safetensors";

/** How `inspect` looks. */
export interface InspectOptions {
  /**
   * Whether files are told by their sha256. Default "told": where the hub's cache names them by it, which costs nothing;
   * "computed" reads every file.
   */
  readonly hash?: HashHabit;
}

/**
 * Says what a path holds: layout, parts, architecture, element types, which tensors are missing or unknown, what the
 * weights were most likely distilled to, and which recipes run them. A damaged checkpoint is told as far as it goes.
 *
 * @param path a diffusers folder or a .safetensors file: a whole checkpoint, a U-Net, a VAE, or a LoRA
 * @throws an error whose message is one sentence when it is nothing of that
 */
export async function inspect(path: string, { hash = "told" }: InspectOptions = {}): Promise<Inspection> {
  const file = await singleFile(path);
  if (file !== undefined && isLora(file)) return await inspectLora(path, file, hash);
  const found: Fault[] = [];
  const contents = await openContents(path, (fault) => found.push(fault));
  return await inspectContents(path, contents, found, hash);
}

/** The file that a path is or, for a LoRA's folder, holds. */
async function singleFile(path: string): Promise<SafetensorsFile | undefined> {
  const kind = await kindOf(path);
  if (kind === "file") return await openSafetensors(path);
  if (kind === "nothing" || await kindOf(join(path, "model_index.json")) === "file") return undefined;
  const lora = join(path, LORA_FILE);
  return await kindOf(lora) === "file" ? await openSafetensors(lora) : undefined;
}

async function inspectContents(
  path: string,
  contents: Contents,
  found: readonly Fault[],
  hash: HashHabit,
): Promise<CheckpointInspection> {
  const faults: string[] = [];
  const parts: PartReport[] = [];
  for (const part of PARTS) {
    const report = await reportPart(part, contents, found.find((fault) => fault.part === part));
    if (report !== undefined) parts.push(report);
  }
  for (const { part, fault, keys } of parts) {
    if (fault !== undefined) faults.push(fault);
    if (keys && keys.missing.length > 0) faults.push(`The ${part} lacks ${count(keys.missing.length, "tensor")}.`);
    if (keys && keys.misfits.length > 0) {
      faults.push(`The ${part} has ${count(keys.misfits.length, "tensor")} of another shape than its network wants.`);
    }
  }
  const structure = contents.unet && structureOf(contents.unet.architecture);
  if (structure?.refused !== undefined) faults.push(structure.refused);
  const notes: string[] = [];
  if (contents.vae && !encodes(contents.vae)) {
    notes.push("The vae has no encoder: it decodes, and cannot begin from a picture.");
  }
  const scheduler = await schedulerOf(contents, faults, notes);
  const metadata = new Map(
    PARTS.flatMap((part) => weightsOf(part, contents)?.files ?? []).flatMap(({ metadata }) => [...metadata]),
  );
  const hashes = await hashesOf(await filesOf(contents, found), hash);
  const [unetFile] = parts.find(({ part }) => part === "unet")?.files ?? [];
  const { recipes, steps, ...distillation } = parts.some(({ part }) => part === "unet")
    ? guessDistillation({
      path,
      published: hashes.find(({ name }) => name === unetFile?.name)?.published,
      metadata,
      scheduler,
      guidanceInput: contents.unet?.architecture.timeCondDim !== undefined,
    })
    : NO_UNET;
  const prediction = predictionOf(contents, scheduler, metadata, recipes);
  const allowed = allowedRecipes(recipes, prediction.type);
  notes.push(...allowed.notes);
  const { names, wanted } = await tokenizerNames(contents);
  const lacks = PARTS.filter((name) => !parts.some(({ part }) => part === name));
  const use = lacks.length === 0 ? "model" : contents.unet !== undefined ? "unet" : "vae";
  const { aside, unknown } = setAside([...contents.ignored, ...contents.unknown].map((name) => [name, name]));
  return {
    inspected: "checkpoint",
    path,
    layout: contents.layout,
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    parts,
    lacks,
    structure,
    prediction,
    tokenizers: names,
    scheduler: scheduler && describe(scheduler),
    markers: [
      ...contents.markers.velocity ? ["v_pred: the U-Net predicts velocity"] : [],
      ...contents.markers.zeroTerminalSnr ? ["ztsnr: its noise ends in pure noise"] : [],
    ],
    computing: contents.unet === undefined ? [] : computings(),
    unknown,
    aside,
    faults,
    notes,
    metadata: remarks(metadata),
    hashes,
    distillation,
    recipes: faults.length === 0
      ? commandsFor(allowed.fitting, {
        path,
        use,
        steps,
        model: structure?.name === POCKET ? "models/pocket/base" : undefined,
        tokenizer: wanted,
      })
      : [],
  };
}

/** A VAE alone goes with any model. */
const NO_UNET: Guessed = {
  family: "none",
  recipes: ["base"],
  certainty: "structure",
  reason: "it has no U-Net, which alone is distilled",
};

function partOf(part: PartName, { unet, vae, textEncoder, textEncoder2 }: Contents): Part<Architecture> | undefined {
  return { unet, vae, text_encoder: textEncoder, text_encoder_2: textEncoder2 }[part];
}

function weightsOf(part: PartName, contents: Contents): Weights | undefined {
  return partOf(part, contents)?.weights;
}

async function reportPart(part: PartName, contents: Contents, found?: Fault): Promise<PartReport | undefined> {
  const told = partOf(part, contents);
  const weights = told?.weights ?? found?.weights;
  if (weights === undefined && found === undefined) return undefined;
  const entries = weights === undefined ? [] : entriesOf(weights);
  const faults = found === undefined ? [] : [sentence(found.error)];
  let keys: PartReport["keys"];
  try {
    keys = reportKeys(part, contents);
  } catch (error) {
    faults.push(sentence(error)); // blocks that do not fit each other: no network can be built to ask for tensors
  }
  return {
    part,
    files: await nameFiles(contents, part, weights?.files ?? []),
    bytes: entries.reduce((sum, { byteLength }) => sum + byteLength, 0),
    tensors: entries.length,
    parameters: entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    dtypes: countDTypes(entries),
    architecture: told?.architecture,
    told: told?.told,
    blocks: part === "unet" && weights !== undefined ? countBlocks(weights.refs) : [],
    keys,
    fault: faults[0],
  };
}

/** All files of weights with the names that the parts' reports give them, each once. */
async function filesOf(contents: Contents, found: readonly Fault[]): Promise<{ name: string; path: string }[]> {
  const paths = new Map<string, string>();
  for (const part of PARTS) {
    const weights = weightsOf(part, contents) ?? found.find((fault) => fault.part === part)?.weights;
    const files = weights?.files ?? [];
    if (files.length === 0) continue;
    const named = await nameFiles(contents, part, files);
    for (const [i, { path }] of files.entries()) paths.set(path, named[i].name);
  }
  return [...paths].map(([path, name]) => ({ name, path }));
}

/** The stored tensors of a part, each once. */
function entriesOf(weights: Weights): readonly TensorEntry[] {
  const names = new Set([...weights.ignored, ...weights.refs.map(({ key }) => weights.origin(key) ?? key)]);
  return weights.files.flatMap(({ tensors }) => [...tensors.values()].filter(({ name }) => names.has(name)));
}

async function schedulerOf(
  contents: Contents,
  faults: string[],
  notes: string[],
): Promise<SchedulerConfig | undefined> {
  if (contents.schedulerConfig === undefined) return undefined;
  try {
    return await readScheduler(contents, (message) => notes.push(message));
  } catch (error) {
    faults.push(sentence(error));
    return undefined;
  }
}

/** In words, what differs from SDXL base's own. */
function describe(scheduler: SchedulerConfig): string {
  const { sampler, spacing, prediction, ramp, rescaleBetasZeroSnr } = scheduler;
  const extras = [
    ...ramp === undefined ? [] : [`${ramp} sigmas`],
    ...rescaleBetasZeroSnr ? ["zero terminal SNR"] : [],
    ...scheduler.betaStart !== SDXL_SCHEDULER.betaStart || scheduler.betaEnd !== SDXL_SCHEDULER.betaEnd
      ? [`betas ${scheduler.betaStart} to ${scheduler.betaEnd}`]
      : [],
  ];
  return [sampler, `${spacing} spacing`, `predicts ${prediction}`, ...extras].join(", ");
}

/** Where the vocabularies come from, or what is wanted. */
async function tokenizerNames(contents: Contents): Promise<{ names: readonly string[]; wanted?: "wanted" }> {
  if (!contents.textEncoder) return { names: [] };
  try {
    const folders = await tokenizersOf(contents, contents.textEncoder);
    if (folders[0].folder === CLIP_FOLDER) return { names: ["CLIP's, from the kit"] };
    const from = contents.tokenizer && contents.tokenizer2 ? "its own" : "beside it";
    return { names: folders.map(({ folder }) => `${basename(folder)} (${from})`) };
  } catch {
    const rows = contents.textEncoder.architecture.vocabularySize;
    return { names: [`none: a vocabulary of ${rows} tokens is wanted, with --tokenizer FOLDER`], wanted: "wanted" };
  }
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
