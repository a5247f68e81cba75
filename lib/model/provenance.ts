/**
 * What made something: models and the hashes of their weights, requests with prompts and seeds, versions, machine.
 * Everything exported carries it, so that a reader can tell, and make it again.
 *
 * Exports travel: of a path only what lies inside the working folder is told, of any other the last name; the hashes
 * say which file it was. Nothing names the user or the machine.
 */

import { basename, isAbsolute, relative, resolve, sep } from "node:path";
import * as v from "valibot";
import { recipes } from "../diffusion/mod.ts";
import { describeMachine } from "../measure/machine.ts";
import { VERSION } from "../version.ts";
import { issueClause, jsonOf } from "../weights/config.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Size } from "./conditioning.ts";
import { type Precision, PRECISIONS } from "./precision.ts";
import { digestsOf, type RecordedModel } from "./record.ts";
import { type RequestJson, requestJson, requestSchema } from "./request_json.ts";
import type { ModelSource } from "./source.ts";
import type { Step } from "./step.ts";

/** Of the layout and meaning of this JSON. */
const PROVENANCE_VERSION = 1;

/** What a run was made with. Paths inside the working folder as they are, of others the last name. */
export interface ProvenanceModel extends Omit<ModelSource, "precision"> {
  /** What the maker called it. */
  readonly name?: string;
  /** What it computed in. Default "fp32", as in files that were written before there was a choice. */
  readonly precision?: Precision;
  /** sha256 of each weight file, by part and file name. */
  readonly digests: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const modelSchema = v.looseObject({
  name: v.optional(v.string()),
  checkpoint: v.string(),
  unet: v.optional(v.string()),
  vae: v.optional(v.string()),
  tokenizer: v.optional(v.string()),
  loras: v.array(v.object({ path: v.string(), strength: v.number() })),
  loraMode: v.picklist(["branch", "fuse"]),
  precision: v.optional(v.picklist(PRECISIONS), "fp32"),
  digests: v.record(v.string(), v.record(v.string(), v.string())),
});

/** What was run, and what came of it. */
export interface ProvenanceRun {
  /** Index into `models`. */
  readonly model: number;
  /** What was asked for. */
  readonly request: RequestJson;
  /** Resolved from recipe and request. */
  readonly sampler: string;
  /** The recipe's or the request's. Left out: the checkpoint's own. */
  readonly spacing?: string;
  /** How the network's output was read. */
  readonly prediction: string;
  /** Denoising steps that were taken. */
  readonly steps: number;
  /** The scale of classifier-free guidance; 0 and 1 mean none. */
  readonly guidance: number;
  /** Pixels. */
  readonly size: Size;
  /** sha256 of the last latent's float32 values, all pictures of the batch together. */
  readonly digest: string;
  /** Whether the request changed on the way: such a run is not made again from its last request alone. Default false. */
  readonly branched?: boolean;
  /** Which picture of the batch is shown. Left out: no one of them alone. */
  readonly picture?: number;
  /** Where it ran, if not where it was exported: a stored result. */
  readonly machine?: string;
}

const runSchema = v.looseObject({
  model: v.pipe(v.number(), v.integer(), v.minValue(0)),
  request: requestSchema,
  sampler: v.string(),
  spacing: v.optional(v.string()),
  prediction: v.string(),
  steps: v.number(),
  guidance: v.number(),
  size: v.object({ width: v.number(), height: v.number() }),
  digest: v.string(),
  branched: v.optional(v.boolean(), false),
  picture: v.optional(v.number()),
  machine: v.optional(v.string()),
});

const provenanceSchema = v.looseObject({
  version: v.literal(PROVENANCE_VERSION),
  software: v.record(v.string(), v.string()),
  machine: v.string(),
  models: v.array(modelSchema),
  runs: v.array(runSchema),
});

/** The JSON, as it stands in a file. */
export interface Provenance {
  /** Of the layout and meaning of this JSON. */
  readonly version: 1;
  /** Versions, by name: fewstep, deno, the runtime. */
  readonly software: Readonly<Record<string, string>>;
  /** Processors, memory and system: enough to judge times by, nothing that names the machine or its owner. */
  readonly machine: string;
  /** Each model once. */
  readonly models: readonly ProvenanceModel[];
  /** Each run once. */
  readonly runs: readonly ProvenanceRun[];
}

/** A model that tells what it was opened from. An opened `Model` is one. */
export interface TellingModel extends Pick<RecordedModel, "loras" | "runtime"> {
  /** `open`'s path and options, which name the files. */
  readonly source: ModelSource;
  /** As it lay on disk before LoRAs or precisions changed it: its files are hashed. */
  readonly published: Checkpoint;
  /** Pixels that a latent's cell stands for: 8 in SDXL. */
  readonly pixelsPerLatent: number;
}

/** A run whose making is to be told. */
export interface Made {
  /** What ran it. */
  readonly model: TellingModel;
  /** Where it ended; its request and its digest are told. */
  readonly step: Step;
  /** Which picture of the batch is shown. Default: no one of them alone. */
  readonly picture?: number;
  /** What the maker calls the model. */
  readonly name?: string;
}

/**
 * What made one picture, or several: each model and each run stands in it once.
 * @param digest sha256 of a weight file, where something remembers it
 */
export async function provenanceOf(
  made: Made | readonly Made[],
  { digest }: { readonly digest?: (path: string) => Promise<string> } = {},
): Promise<Provenance> {
  const all = "model" in made ? [made] : made;
  const models: TellingModel[] = [...new Set(all.map(({ model }) => model))];
  return {
    ...describeMaker(all[0]?.model.runtime.name),
    models: await Promise.all(
      models.map((model) => describeModel(model, digest, all.find((one) => one.model === model)?.name)),
    ),
    runs: await Promise.all(
      all.map(({ model, step, picture }) => describeRun(models.indexOf(model), model, step, picture)),
    ),
  };
}

/** Software and machine alone: of what no run of a model made. */
export function describeMaker(runtime?: string): Pick<Provenance, "version" | "software" | "machine"> {
  return {
    version: PROVENANCE_VERSION,
    software: { fewstep: VERSION, deno: Deno.version.deno, ...runtime === undefined ? {} : { runtime } },
    machine: describeMachine(),
  };
}

async function describeModel(
  model: TellingModel,
  digest: ((path: string) => Promise<string>) | undefined,
  name?: string,
): Promise<ProvenanceModel> {
  const { checkpoint, unet, vae, tokenizer, loras, loraMode, precision } = model.source;
  const told = (path?: string) => path === undefined ? undefined : portablePath(path);
  return {
    name,
    checkpoint: portablePath(checkpoint),
    unet: told(unet),
    vae: told(vae),
    tokenizer: told(tokenizer),
    loras: loras.map(({ path, strength }) => ({ path: portablePath(path), strength })),
    loraMode,
    precision,
    digests: await digestsOf({ checkpoint: model.published, loras: model.loras }, digest),
  };
}

async function describeRun(
  index: number,
  { pixelsPerLatent }: TellingModel,
  step: Step,
  picture?: number,
): Promise<ProvenanceRun> {
  const { request, trajectory, path } = step;
  const [, , rows, columns] = step.latent.shape;
  return {
    model: index,
    request: requestJson(request),
    sampler: trajectory.sampler,
    spacing: request.spacing ?? recipes[trajectory.recipe]?.spacing,
    prediction: trajectory.prediction,
    steps: step.index,
    guidance: trajectory.guidance,
    size: { width: columns * pixelsPerLatent, height: rows * pixelsPerLatent },
    digest: await latentDigest(step),
    branched: path.some((earlier) => earlier.request !== request) || !step.done,
    picture,
  };
}

/** sha256 of a step's latent: equal where two runs are equal to the bit. */
export async function latentDigest({ latent: { data } }: Step): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** A path that may be published: as it is inside the working folder, or a hub's name; else its last name. */
export function portablePath(path: string): string {
  if (/^https?:/.test(path)) {
    const { origin, pathname } = new URL(path);
    return origin + pathname; // without what may follow: a name, a password, a token
  }
  const inside = relative(Deno.cwd(), resolve(path));
  const leaves = inside === "" || inside.startsWith("..") || isAbsolute(inside);
  return leaves ? basename(resolve(path)) : inside.split(sep).join("/");
}

/** Parses what a file carries. @throws SyntaxError in one sentence. */
export function parseProvenance(text: string, where: string): Provenance {
  const result = v.safeParse(provenanceSchema, jsonOf(`what made ${where}`, text));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const hint = v.getDotPath(issue) === "version"
    ? ` This kit reads version ${PROVENANCE_VERSION}: use the kit that wrote it, or a newer one.`
    : "";
  throw new SyntaxError(`Cannot read what made ${where}: in its provenance ${issueClause(issue)}.${hint}`);
}
