/** Opens a checkpoint as it was published. */

import { kindOf } from "../weights/files.ts";
import { type CheckpointOptions, openAutoencoder, openCheckpoint } from "../weights/open.ts";
import { openLora } from "../weights/lora.ts";
import { fuse } from "./fuse.ts";
import type { GuidancePasses } from "./guidance_passes.ts";
import type { LoadedLora, LoraMode } from "./loras.ts";
import { Model } from "./model.ts";
import { type Precision, wantPrecision } from "./precision.ts";
import { readScheduler } from "./scheduler.ts";
import { type Device, runtimeOn } from "./sessions/devices.ts";
import type { MemoryMode } from "./stage.ts";

/** How a checkpoint is opened. */
export interface OpenOptions extends CheckpointOptions {
  /** Where to compute. Default "cpu". docs/devices.md says what each needs. */
  readonly device?: Device;
  /**
   * What to compute in, whatever the file holds. Default "fp32". "fp16" and "bf16": half floats, the VAE apart. "int8":
   * the U-Net's layers in 8-bit integers, more than twice as fast on processors with AMX or VNNI and a percent off.
   * "int4": its linear layers' weights in 4 bits, for memory. What has to be made of the weights is made at first use, into a cache.
   */
  readonly precision?: Precision;
  /**
   * "fast" (default) keeps U-Net and VAE loaded, in float32, and lets the text encoders go; "lean" holds one part at a
   * time, at the price of loading it again. On the processor it also leaves weights in their file, mapped: half floats
   * are widened layer by layer, each time, and on Linux what has been read goes back to the system within half a second.
   */
  readonly memory?: MemoryMode;
  /**
   * A small autoencoder of the same latents, as TAESD for SDXL, that `model.decode` takes for previews: a file or folder.
   * As `vae` it takes the VAE's place.
   */
  readonly preview?: string;
  /** LoRAs, each with its strength (default 1): paths, or path and strength. */
  readonly loras?: readonly (string | { readonly path: string; readonly strength?: number })[];
  /**
   * How LoRAs are applied. "branch" (default): a low-rank path beside each weight, whose strength is an input and may
   * change from step to step. "fuse": into the weights, once; steps cost no more than without.
   */
  readonly loraMode?: LoraMode;
  /**
   * How a guided step runs both its halves: as one batch (default), in two runs, which takes less memory, or "measured":
   * whichever is faster here, tried at a size's first guided step.
   */
  readonly guidancePasses?: GuidancePasses;
  /** Threads of the runtime. Default: its own choice, one a core. */
  readonly threads?: number;
  /** Told in a sentence what a user should know, such as a prompt cut off. Default `console.warn`. */
  readonly warn?: (message: string) => void;
}

/**
 * Opens SDXL as it was published: headers and configs are read, no tensor is touched and nothing is loaded yet.
 *
 * @param path a diffusers folder, or a single-file checkpoint under the original or diffusers' names; or the name of one
 *   on the hub that was pulled before (nothing is downloaded here)
 * @throws an error whose message is one sentence: what is wrong, what was looked for
 */
export async function open(path: string, options: OpenOptions = {}): Promise<Model> {
  const { unet, vae, tokenizer, loras = [], loraMode = "branch", warn = console.warn } = options;
  const { device = "cpu", precision = "fp32", memory = "fast", threads } = options;
  const runtime = await runtimeOn(device, { threads, memory });
  wantPrecision(precision, runtime);
  const [model, unetPath, vaePath, previewPath] = await Promise.all(
    [path, unet, vae, options.preview].map((name) => name && located(name)),
  );
  const checkpoint = await openCheckpoint(model ?? path, { unet: unetPath, vae: vaePath, tokenizer });
  const preview = previewPath === undefined ? undefined : await openAutoencoder(previewPath, checkpoint.vae);
  const scheduler = await readScheduler(checkpoint, warn);
  const loaded: LoadedLora[] = [];
  for (const lora of loras) {
    const { path: file, strength = 1 } = typeof lora === "string" ? { path: lora } : lora;
    loaded.push({ lora: await openLora(await located(file), checkpoint), strength });
  }
  for (const { lora: { path, unmatched } } of loaded) {
    if (unmatched.length > 0) {
      warn(`${path}: these of its modules and tensors are not in the model, and left out: ${unmatched.join(", ")}.`);
    }
  }
  const source = {
    checkpoint: path,
    unet,
    vae,
    tokenizer,
    loras: loras.map((lora) => typeof lora === "string" ? { path: lora, strength: 1 } : { strength: 1, ...lora }),
    loraMode,
    precision,
  };
  const { guidancePasses } = options;
  const rest = {
    source,
    runtime,
    precision,
    preview,
    scheduler,
    memory,
    guidancePasses,
    loras: loaded,
    loraMode,
    warn,
  };
  if (loraMode === "branch" || loaded.length === 0) return new Model({ ...rest, checkpoint });
  const fused = await fuse(checkpoint, loaded);
  // Fused weights are made anew each time: what is made of them would only pile up in the cache.
  const { checkpoint: changed, folder: preparedFolder, discard: onClose } = fused;
  return new Model({ ...rest, checkpoint: changed, published: checkpoint, preparedFolder, onClose });
}

/** A path as it is; a hub's name as the path of its cached files. The hub's code is loaded only for a name. */
async function located(pathOrName: string): Promise<string> {
  if (await kindOf(pathOrName) !== "nothing") return pathOrName;
  const { resolveModelPath } = await import("../hub/mod.ts");
  return await resolveModelPath(pathOrName);
}
