/** What a cell is, apart from how it is called: everything that decides its bits, and the hash of it. */

import { createHash } from "node:crypto";
import { usesGuidance } from "../diffusion/mod.ts";
import type { Model } from "../model/model.ts";
import type { Request } from "../model/request.ts";
import { vocabularyFiles } from "../text/vocabulary.ts";
import { NUMERICS } from "../version.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Content } from "./cell.ts";
import type { Way } from "./options.ts";

/** sha256 of a text or bytes in lower-case hex. */
export function digestOf(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The key of a cell. Fields are written in a fixed order, so that equal contents have equal text. */
export function keyOf(content: Content): string {
  return digestOf(JSON.stringify(sorted(content)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** What of a cell's content is its model's. */
export type ModelContent = Pick<
  Content,
  "numerics" | "weights" | "loraMode" | "architecture" | "device" | "precision" | "runtime"
>;

export interface ContentOptions {
  readonly device: string;
  readonly precision: string;
  readonly loraMode: Content["loraMode"];
  /** sha256 of a file. */
  readonly digest: (path: string) => Promise<string>;
}

/** Hashes everything that a model is made of. */
export async function modelContent(
  { checkpoint, loras, runtime }: Pick<Model, "checkpoint" | "loras" | "runtime">,
  { device, precision, loraMode, digest }: ContentOptions,
): Promise<ModelContent> {
  const { textEncoder, textEncoder2, unet, vae, tokenizer, tokenizer2 } = checkpoint;
  const weights: Record<string, readonly string[]> = {};
  for (const [name, { weights: { files } }] of Object.entries({ textEncoder, textEncoder2, unet, vae })) {
    weights[name] = await digests(files.map(({ path }) => path), digest);
  }
  for (const [name, { folder, pad = "" }] of Object.entries({ tokenizer, tokenizer2 })) {
    weights[name] = [...await digests(await vocabularyFiles(folder), digest), pad];
  }
  return {
    numerics: NUMERICS,
    weights,
    loraMode: loras.length === 0 ? "branch" : loraMode, // without a LoRA both are the same work
    architecture: digestOf(JSON.stringify(sorted(architectureOf(checkpoint)))),
    device,
    precision,
    runtime: runtime.name,
  };
}

function architectureOf({ textEncoder, textEncoder2, unet, vae }: Checkpoint): unknown {
  return [textEncoder, textEncoder2, unet, vae].map(({ architecture }) => architecture);
}

async function digests(paths: readonly string[], digest: ContentOptions["digest"]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) found.push(await digest(path)); // one after the other: disks read one file fastest
  return found;
}

/** The digests and strengths of a model's LoRAs, where a way may have strengths of its own. */
export async function lorasContent(
  { loras }: Pick<Model, "loras">,
  { loraStrengths }: Pick<Way, "loraStrengths">,
  digest: ContentOptions["digest"],
): Promise<Content["loras"]> {
  const found: { digest: string; strength: number }[] = [];
  for (const [index, { lora, strength }] of loras.entries()) {
    found.push({ digest: await digest(lora.path), strength: loraStrengths?.[index] ?? strength });
  }
  return found;
}

/** The content of one cell. `loras` are the digests and strengths of its LoRAs. */
export function cellContent(
  model: Model,
  shared: ModelContent,
  loras: Content["loras"],
  request: Request & { readonly seed: bigint },
): Content {
  const trajectory = model.plan(request);
  const { timesteps, sigmas, initNoiseSigma, landings } = trajectory.schedule;
  const guides = usesGuidance(trajectory.guidance) && model.checkpoint.unet.architecture.timeCondDim === undefined;
  const zeros = request.negative === undefined && model.checkpoint.forceZerosForEmptyPrompt;
  return {
    ...shared,
    loras,
    prompt: request.prompt,
    negative: guides && !zeros ? request.negative ?? "" : null,
    seed: String(request.seed),
    sampler: trajectory.sampler,
    prediction: trajectory.prediction,
    timesteps,
    sigmas,
    initNoiseSigma,
    landings: landings ?? null,
    guidance: guides ? trajectory.guidance : 0, // 0 and 1 both run the prompt alone
    embeddedGuidance: trajectory.embeddedGuidance ?? null,
    guidanceRescale: guides ? trajectory.guidanceRescale ?? null : null,
    guidanceInterval: guides ? trajectory.guidanceInterval ?? null : null,
    eta: trajectory.eta ?? null,
    ...model.sizeOf(request),
  };
}
