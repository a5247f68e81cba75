/** What an export says made it, made again and held against it. */

import { join } from "node:path";
import { parseReference } from "../hub/reference.ts";
import { kindOf } from "../weights/files.ts";
import { fileNameFault, pathFault } from "../weights/paths.ts";
import { shown } from "../weights/said.ts";
import type { Model } from "./model.ts";
import { open, type OpenOptions } from "./open.ts";
import { latentDigest, type Provenance, type ProvenanceModel, type ProvenanceRun } from "./provenance.ts";
import { digestsOf } from "./record.ts";
import { parseSeeded } from "./request_json.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Where models are looked for, and how they are run. */
export interface ReproduceOptions extends Pick<OpenOptions, "device" | "memory" | "threads" | "warn"> {
  /** Where models and LoRAs lie that are not where the export says: looked for by their path in it, or their name. */
  readonly folder?: string;
  /** Ends between two denoising steps. */
  readonly signal?: AbortSignal;
  /** Told of each run as it ends. */
  readonly onRun?: (run: ReproducedRun, index: number, count: number) => void;
}

/** A run, made again. */
export interface ReproducedRun {
  /** What was told of it. */
  readonly run: ProvenanceRun;
  /** sha256 of the last latent, now. */
  readonly digest: string;
  /** Whether it is the export's, to the bit. */
  readonly same: boolean;
  /** `[batch, 3, height, width]` in 0..1 */
  readonly image: Tensor;
}

/**
 * Runs everything again. Bits are equal on the same device with the same versions; elsewhere a run may differ in the
 * last digits, and `same` is false though the picture looks alike: compare `image` then.
 *
 * @throws an Error in one sentence when a model is not found or is another than the one that the export names, and when a
 * run cannot be made from its request: it branched, or began from a noise or picture of its maker's
 */
export async function reproduceRuns(
  provenance: Provenance,
  { folder, signal, onRun, ...options }: ReproduceOptions = {},
): Promise<ReproducedRun[]> {
  const { models, runs } = provenance;
  if (runs.length === 0) throw new RangeError("Cannot make this again: no run of a model made it.");
  const done: ReproducedRun[] = [];
  const requests = runs.map((run) => requestOf(run, models.length));
  for (const [index, told] of models.entries()) {
    await using model = await openTold(told, folder, options);
    await wantSameWeights(model, told);
    for (const [position, run] of runs.entries()) {
      if (run.model !== index) continue;
      const { step, image } = await model.generate(requests[position], { signal });
      const digest = await latentDigest(step);
      done[position] = { run, digest, same: digest === run.digest, image };
      onRun?.(done[position], position, runs.length);
    }
  }
  return done;
}

function requestOf({ request, branched, model }: ProvenanceRun, models: number) {
  const why = branched
    ? "it branched or was stopped on its way, and only a record (generate --record) keeps all of that"
    : request.noise || request.image || request.mask
    ? `it began from ${request.noise ? "noise" : "a picture"} that its maker gave, and that the export does not hold`
    : model >= models
    ? `it names model ${model} of ${models}`
    : undefined;
  if (why !== undefined) throw new RangeError(`Cannot make the run of "${request.prompt}" again: ${why}.`);
  return parseSeeded(request);
}

/**
 * Where to look for what an export names. Its names are a stranger's: they may lie in the working folder, in the folder
 * that the user names, or on the hub, as the kit itself writes them; nothing else of the disk is opened for them.
 *
 * @throws RangeError for a name that leads elsewhere
 */
export function placesOf(path: string, folder: string | undefined): readonly string[] {
  const inside = pathFault(path) === undefined;
  const last = path.split(/[\\/]/).at(-1) ?? "";
  const places = [
    ...inside ? [path] : [],
    ...folder !== undefined && inside ? [join(folder, path)] : [],
    ...folder !== undefined && fileNameFault(last) === undefined ? [join(folder, last)] : [],
    ...isReference(path) ? [path] : [],
  ];
  if (places.length > 0) return [...new Set(places)];
  throw new RangeError(`it names ${shown(path)}, which lies neither in the working folder nor on the hub.`);
}

function isReference(path: string): boolean {
  try {
    return parseReference(path) !== undefined;
  } catch {
    return false;
  }
}

async function openTold(told: ProvenanceModel, folder: string | undefined, options: OpenOptions): Promise<Model> {
  const place = async (path: string): Promise<string> => {
    const places = placesOf(path, folder);
    for (const place of places) if (await kindOf(place) !== "nothing") return place;
    return places[0]; // a hub's name, perhaps
  };
  const maybe = (path?: string) => path === undefined ? undefined : place(path);
  try {
    return await open(await place(told.checkpoint), {
      ...options,
      unet: await maybe(told.unet),
      vae: await maybe(told.vae),
      tokenizer: await maybe(told.tokenizer),
      loras: await Promise.all(told.loras.map(async ({ path, strength }) => ({ path: await place(path), strength }))),
      loraMode: told.loraMode,
      precision: told.precision,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot make this again: ${why} Say where the models lie: reproduce FILE --models FOLDER.`, {
      cause: error,
    });
  }
}

/** By content: a file may be called otherwise here. */
async function wantSameWeights(model: Model, { checkpoint, digests }: ProvenanceModel): Promise<void> {
  const here = await digestsOf({ checkpoint: model.published, loras: model.loras });
  for (const [part, files] of Object.entries(digests)) {
    const wanted = new Set(Object.values(files));
    const found = new Set(Object.values(here[part] ?? {}));
    if (wanted.size === found.size && [...wanted].every((digest) => found.has(digest))) continue;
    throw new Error(
      `Cannot make this again: the ${part} of ${checkpoint} is another than the one that made it ` +
        `(sha256 ${[...found].map((digest) => digest.slice(0, 12)).join(", ") || "none"} here, ` +
        `${[...wanted].map((digest) => digest.slice(0, 12)).join(", ")} wanted).`,
    );
  }
}
