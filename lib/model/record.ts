/**
 * A run, saved: everything that its steps were made of and gave, as one safetensors file in float32.
 *
 * Tensors: `noise` `[B,4,h,w]` before scaling; `prompt_embeds` `[B,77,D]`, `pooled_prompt_embeds` `[B,P]`, and
 * `negative_…` with guidance; `timesteps` `[n]`; `sigmas` `[n+1]`; `latents` `[n+1,B,4,h,w]`, first the scaled start,
 * last the result; `denoised` and `prediction` `[n,B,4,h,w]`; `image` `[B,3,H,W]` in 0..1. A run that was stopped
 * after k steps has k + 1 latents and k of the others. A run from a picture has it as `init_image`; an inpainted one
 * also has `mask_image`, and `init_latents` `[B,4,h,w]`, what was kept. The metadata key `fewstep` is JSON: see
 * `Metadata`.
 */

import { basename } from "node:path";
import * as v from "valibot";
import { formatShape, type Shape, Tensor } from "../tensor/tensor.ts";
import { VERSION } from "../version.ts";
import { sha256 } from "../weights/digest.ts";
import { finite, issueClause, jsonOf } from "../weights/config.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { openSafetensors, readTensor, writeSafetensors } from "../weights/safetensors.ts";
import type { LoadedLora } from "./loras.ts";
import type { Precision } from "./precision.ts";
import type { Request } from "./request.ts";
import { parseRequest, requestJson, requestSchema } from "./request_json.ts";
import type { Step } from "./step.ts";

/** Of the record's layout and meaning: a reader must not guess what another number means. */
const RECORD_VERSION = 1;

const numbers = v.array(finite);

const metadataSchema = v.looseObject({
  version: v.literal(RECORD_VERSION),
  /** As it stood at the end. */
  request: requestSchema,
  /** Where a run branched: requests that held before `request` did, each until that step. */
  earlier: v.optional(v.array(v.looseObject({ until: finite, request: requestSchema })), []),
  recipe: v.string(),
  /** sha256 of each weight file, by part and file name. */
  digests: v.record(v.string(), v.record(v.string(), v.string())),
  /** Milliseconds: text and noise; each step; of it the U-Net. */
  timing: v.object({ begin: finite, steps: numbers, unet: numbers }),
  /** Bytes, after each step. */
  memory: v.object({ resident: numbers, peak: numbers }),
  software: v.record(v.string(), v.string()),
});

/** Milliseconds of a recorded run. */
export interface RecordedTiming {
  /** Text encoders and noise: what comes before the first step. */
  readonly begin: number;
  /** `[n]`, each step with its sampler. */
  readonly steps: readonly number[];
  /** `[n]`, of each step the U-Net alone. */
  readonly unet: readonly number[];
}

/** Bytes of the process that ran what is recorded. */
export interface RecordedMemory {
  /** `[n]`, resident after each step. */
  readonly resident: readonly number[];
  /** `[n]`, the highest so far. */
  readonly peak: readonly number[];
}

/** What the record's JSON holds, in the form it has in the file. */
type Metadata = v.InferInput<typeof metadataSchema>;

/** A record, opened. Shapes as in the file. */
export interface RunRecord {
  /** What was asked for. */
  readonly request: Request;
  /** Requests that held before a branch, each until that step. */
  readonly earlier: readonly { readonly until: number; readonly request: Request }[];
  /** By which recipe. */
  readonly recipe: string;
  /** sha256 of each weight file, by part and file name. */
  readonly digests: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** How long it took. */
  readonly timing: RecordedTiming;
  /** What the process held. */
  readonly memory: RecordedMemory;
  /** Versions, by name. */
  readonly software: Readonly<Record<string, string>>;
  /** `[batch, 4, h, w]`, unit normal, before it is scaled. */
  readonly noise: Tensor;
  /** `[batch, 77, D]` */
  readonly promptEmbeds: Tensor;
  /** `[batch, P]` */
  readonly pooledPromptEmbeds: Tensor;
  /** As `promptEmbeds`, of what guidance pushes away from. */
  readonly negativePromptEmbeds: Tensor | undefined;
  /** As `pooledPromptEmbeds`, of the same. */
  readonly negativePooledPromptEmbeds: Tensor | undefined;
  /** `[n]`, what the network was told. */
  readonly timesteps: Tensor;
  /** `[n + 1]`, falling to 0. */
  readonly sigmas: Tensor;
  /** `[n + 1, batch, 4, h, w]`: first the scaled start, last the result. */
  readonly latents: Tensor;
  /** `[n, batch, 4, h, w]`: x0, what the network took the picture to be. */
  readonly denoised: Tensor;
  /** `[n, batch, 4, h, w]`: the network's output after guidance. */
  readonly prediction: Tensor;
  /** `[batch, 3, height, width]` in 0..1, where it was decoded. */
  readonly image: Tensor | undefined;
  /** The clean latents of the picture that was inpainted, `[B,4,h,w]`. */
  readonly initLatents: Tensor | undefined;
}

/** What a record says about the model: an opened `Model` has it all. */
export interface RecordedModel {
  /** Its files of weights are hashed. */
  readonly checkpoint: Checkpoint;
  /** With their files, hashed too, and strengths. */
  readonly loras: readonly LoadedLora[];
  /** "ONNX Runtime 1.30.0, CPU": another may give other last bits. */
  readonly runtime: { readonly name: string };
  /** What it computed in. */
  readonly precision: Precision;
}

/** What a record is made of. */
export interface SaveRecordOptions {
  /** What made the run. */
  readonly model: RecordedModel;
  /** The last step of the run, finished or not. */
  readonly step: Step;
  /** The decoded picture, `[batch, 3, height, width]` in 0..1. */
  readonly image?: Tensor;
}

/** Writes a run to a .safetensors file, whole or not at all. */
export async function saveRecord(path: string, { model, step, image }: SaveRecordOptions): Promise<void> {
  const { path: steps, conditioning, trajectory: { schedule } } = step;
  const taken = steps.slice(1);
  const latentShape = step.latent.shape;
  const stack = (list: readonly Tensor[]): Tensor =>
    list.length > 0 ? Tensor.stack(list) : Tensor.zeros([0, ...latentShape]);
  const tensors = new Map<string, Tensor | undefined>([
    ["noise", step.noise],
    ["prompt_embeds", conditioning.promptEmbeds],
    ["pooled_prompt_embeds", conditioning.pooledPromptEmbeds],
    ["negative_prompt_embeds", conditioning.negativePromptEmbeds],
    ["negative_pooled_prompt_embeds", conditioning.negativePooledPromptEmbeds],
    ["timesteps", Tensor.of(schedule.timesteps)],
    ["sigmas", Tensor.of(schedule.sigmas)],
    ["latents", stack(steps.map(({ latent }) => latent))],
    ["denoised", stack(taken.map(({ denoised }) => denoised))],
    ["prediction", stack(taken.map(({ prediction }) => prediction))],
    ["image", image],
    ["init_image", step.request.image],
    ["mask_image", step.request.mask],
    ["init_latents", step.inpainting?.original],
  ]);
  const present = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) if (tensor) present.set(name, tensor);
  const metadata = await describe(model, step);
  await writeSafetensors(path, present, new Map([["fewstep", JSON.stringify(metadata)]]));
}

async function describe(model: RecordedModel, step: Step): Promise<Metadata> {
  const { path: steps, request, trajectory } = step;
  const [start, ...taken] = steps;
  const earlier = steps.filter((earlier, i) => i < steps.length - 1 && earlier.request !== steps[i + 1].request);
  return {
    version: RECORD_VERSION,
    request: requestJson(request),
    earlier: earlier.map(({ index, request }) => ({ until: index, request: requestJson(request) })),
    recipe: trajectory.recipe,
    digests: await digestsOf(model),
    timing: {
      begin: start.timing.step,
      steps: taken.map(({ timing }) => timing.step),
      unet: taken.map(({ timing }) => timing.unet),
    },
    memory: {
      resident: taken.map(({ memory }) => memory.resident),
      peak: taken.map(({ memory }) => memory.peak),
    },
    software: {
      fewstep: VERSION,
      runtime: model.runtime.name,
      precision: model.precision,
      deno: Deno.version.deno,
      platform: `${Deno.build.os} ${Deno.build.arch}`,
    },
  };
}

/**
 * sha256 of each weight file, by part and file name, without folders: a record travels, and says nothing about the
 * machine that made it.
 *
 * @param digest sha256 of a file, where something remembers it. Default: reads it, once a process
 */
export async function digestsOf(
  { checkpoint, loras }: Pick<RecordedModel, "checkpoint" | "loras">,
  digest: (path: string) => Promise<string> = sha256,
): Promise<Record<string, Record<string, string>>> {
  const { textEncoder, textEncoder2, unet, vae } = checkpoint;
  const digests: Record<string, Record<string, string>> = {};
  for (const { weights: { part, files } } of [textEncoder, textEncoder2, unet, vae]) {
    digests[part] = await digestFiles(files.map(({ path }) => path), digest);
  }
  if (loras.length > 0) digests.lora = await digestFiles(loras.map(({ lora }) => lora.path), digest);
  return digests;
}

async function digestFiles(
  paths: readonly string[],
  digest: (path: string) => Promise<string>,
): Promise<Record<string, string>> {
  const entries = paths.map(async (path) => [basename(path), await digest(path)]);
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * Opens a record.
 *
 * @throws an error whose message is one sentence when the file is no record, of another version, or inconsistent
 */
export async function openRecord(path: string): Promise<RunRecord> {
  const file = await openSafetensors(path);
  const text = file.metadata.get("fewstep");
  if (text === undefined) {
    throw new SyntaxError(
      `Cannot open ${path} as a record: its metadata has no "fewstep". Was it saved by saveRecord?`,
    );
  }
  const metadata = parseMetadata(path, text);
  const read = (name: string): Promise<Tensor> => {
    if (!file.tensors.has(name)) throw new SyntaxError(`Cannot open ${path} as a record: it has no tensor "${name}".`);
    return readTensor(file, name);
  };
  const maybe = async (name: string): Promise<Tensor | undefined> =>
    file.tensors.has(name) ? await read(name) : undefined;
  const noise = await read("noise");
  const given = { noise, image: await maybe("init_image"), mask: await maybe("mask_image") };
  const record: RunRecord = {
    request: parseRequest(metadata.request, given),
    earlier: metadata.earlier.map(({ until, request }) => ({ until, request: parseRequest(request, given) })),
    recipe: metadata.recipe,
    digests: metadata.digests,
    timing: metadata.timing,
    memory: metadata.memory,
    software: metadata.software,
    noise,
    promptEmbeds: await read("prompt_embeds"),
    pooledPromptEmbeds: await read("pooled_prompt_embeds"),
    negativePromptEmbeds: await maybe("negative_prompt_embeds"),
    negativePooledPromptEmbeds: await maybe("negative_pooled_prompt_embeds"),
    timesteps: await read("timesteps"),
    sigmas: await read("sigmas"),
    latents: await read("latents"),
    denoised: await read("denoised"),
    prediction: await read("prediction"),
    image: await maybe("image"),
    initLatents: metadata.request.mask ? await read("init_latents") : undefined,
  };
  checkShapes(path, record);
  return record;
}

function parseMetadata(path: string, text: string): v.InferOutput<typeof metadataSchema> {
  const result = v.safeParse(metadataSchema, jsonOf(`the metadata of ${path}`, text));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const hint = v.getDotPath(issue) === "version"
    ? ` This kit reads version ${RECORD_VERSION}: use the kit that wrote it, or a newer one.`
    : "";
  throw new SyntaxError(`Cannot open ${path} as a record: in its metadata ${issueClause(issue)}.${hint}`);
}

function checkShapes(path: string, record: RunRecord): void {
  const { noise, latents, denoised, prediction, timesteps, sigmas, initLatents } = record;
  const taken = latents.shape[0] - 1;
  const wanted: readonly (readonly [string, Tensor, Shape])[] = [
    ...initLatents ? [["init_latents", initLatents, noise.shape] as const] : [],
    ["noise", noise, latents.shape.slice(1)],
    ["denoised", denoised, [taken, ...noise.shape]],
    ["prediction", prediction, [taken, ...noise.shape]],
    ["sigmas", sigmas, [timesteps.data.length + 1]],
  ];
  for (const [name, tensor, shape] of wanted) {
    if (formatShape(tensor.shape) !== formatShape(shape)) {
      throw new SyntaxError(
        `Cannot open ${path} as a record: "${name}" is ${formatShape(tensor.shape)}, its other tensors ask for ` +
          `${formatShape(shape)}.`,
      );
    }
  }
}
