/**
 * A single .safetensors file: a whole checkpoint or one network, under the original repository's names or diffusers'.
 *
 * Source: diffusers' single_file_utils.py and Stability-AI/generative-models, for the prefixes.
 */

import { basename, dirname, join, resolve } from "node:path";
import {
  type Contents,
  type Layout,
  type Markers,
  NO_MARKERS,
  type OnFault,
  type Part,
  type PartName,
} from "./checkpoint.ts";
import { kindOf } from "./files.ts";
import { inferClipText, inferUnet, inferVae } from "./infer.ts";
import { openClip, transformersClip } from "./keys/clip.ts";
import { holds, type Rules } from "./keys/rules.ts";
import { isLdmUnet, ldmUnet } from "./keys/unet.ts";
import { isLdmVae, isTinyVae, ldmVae, oldDiffusersVae, taesd, taesdHalf } from "./keys/vae.ts";
import { openSafetensors } from "./safetensors.ts";
import { type Source, sourcesOf, Weights } from "./weights.ts";

/** Where the parts of a single file stand: the first prefix that a file has wins. */
const PREFIXES = {
  unet: ["model.diffusion_model.", "unet."],
  vae: ["first_stage_model.", "vae."],
  text_encoder: ["conditioner.embedders.0.transformer.", "text_encoder."],
  text_encoder_2: ["conditioner.embedders.1.model.", "text_encoder_2."],
} as const satisfies Record<PartName, readonly string[]>;

/** Averaged copies of the weights, and the training's own bookkeeping: known, and not needed. */
const IGNORED: readonly RegExp[] = [
  /^model_ema\./,
  /^denoiser\.sigmas$/,
  /^(betas|alphas_cumprod(_prev)?|sqrt_.*alphas_cumprod.*|log_one_minus_alphas_cumprod|posterior_.*|logvar|lvlb_weights)$/,
  /^conditioner\.embedders\.\d+\.(transformer\.text_model\.embeddings\.position_ids|model\.logit_scale)$/,
];

/** Tensors without use beyond their name, by which fine-tuned files say what they predict. */
const MARKERS: readonly string[] = ["v_pred", "ztsnr", "edm_mean", "edm_std"];

/** A network's tensors without their prefix, and the prefix. */
interface Found {
  readonly sources: readonly Source[];
  readonly prefix: string;
}

/**
 * Opens a single file and says what it holds.
 *
 * @param onFault told of a part whose architecture cannot be told, which is then left out
 * @throws an error whose message is one sentence when it is no part of SDXL
 */
export async function openFile(path: string, onFault?: OnFault): Promise<Contents> {
  const real = await Deno.realPath(path).catch(() => resolve(path));
  const file = await openSafetensors(real);
  const sources = await withOtherHalf(path, sourcesOf([file]));
  if (sources.some(({ name }) => /lora/i.test(name))) {
    throw new RangeError(
      `Cannot open ${path} as a model: it is a LoRA. Open a model, and give it this file as a LoRA.`,
    );
  }
  const markers = markersOf(path, sources);
  const whole = wholeCheckpoint(sources);
  const parts = whole ?? { [oneNetwork(path, sources)]: { sources, prefix: "" } };
  const known = new Set(Object.values(parts).flatMap(({ sources }) => sources.map(({ entry }) => entry.name)));
  const rest = sources.map(({ entry }) => entry.name).filter((name) => !known.has(name) && !MARKERS.includes(name));

  const told = <A>(weights: Weights, part: PartName, infer: (weights: Weights) => A): Part<A> | undefined => {
    try {
      return { weights, architecture: infer(weights), told: "by shapes" };
    } catch (error) {
      if (onFault === undefined) throw error;
      onFault({ part, error, weights });
    }
  };
  const textEncoder2 = parts.text_encoder_2 &&
    told(clip("text_encoder_2", parts.text_encoder_2), "text_encoder_2", (weights) => inferClipText(weights, "second"));
  const pooledDim = textEncoder2?.architecture.projectionDim;
  return {
    path: real,
    layout: layoutOf(parts, whole !== undefined),
    unet: parts.unet && told(unet(parts.unet), "unet", (weights) => inferUnet(weights, pooledDim)),
    vae: parts.vae && told(vae(parts.vae), "vae", inferVae),
    textEncoder: parts.text_encoder &&
      told(clip("text_encoder", parts.text_encoder), "text_encoder", (weights) => inferClipText(weights, "first")),
    textEncoder2,
    markers,
    forceZerosForEmptyPrompt: true, // SDXL's own model_index.json
    unknown: rest.filter((name) => !IGNORED.some((pattern) => pattern.test(name))),
    ignored: rest.filter((name) => IGNORED.some((pattern) => pattern.test(name))),
  };
}

type Parts = Partial<Record<PartName, Found>>;

/** The parts of a whole checkpoint, told apart by their prefixes. */
function wholeCheckpoint(sources: readonly Source[]): Parts | undefined {
  const parts: Parts = {};
  for (const part of Object.keys(PREFIXES) as PartName[]) {
    for (const prefix of PREFIXES[part]) {
      const own = sources.filter(({ name }) => name.startsWith(prefix));
      if (own.length === 0) continue;
      parts[part] = { prefix, sources: own.map((source) => ({ ...source, name: source.name.slice(prefix.length) })) };
      break;
    }
  }
  return Object.keys(parts).length > 0 ? parts : undefined;
}

/** Which network a file without prefixes is. */
function oneNetwork(path: string, sources: readonly Source[]): "unet" | "vae" {
  const names = namesOf(sources);
  if (isLdmUnet(names) || holds(names, "down_blocks.")) return "unet";
  if (holds(names, "decoder.") || isTinyVae(names)) return "vae";
  const some = sources.slice(0, 3).map(({ name }) => `"${name}"`).join(", ");
  throw new RangeError(
    `Cannot open ${path}: it holds no network of SDXL. Wanted are a checkpoint, a U-Net or a VAE, under the original ` +
      `or diffusers' names; its tensors begin with ${some || "nothing"}.`,
  );
}

/**
 * TAESD is published as two files without a word in their names that says whose they are: the half that was named, and
 * the one beside it, become one network.
 */
async function withOtherHalf(
  path: string,
  sources: readonly Source[],
): Promise<readonly Source[]> {
  const half = taesdHalf(namesOf(sources));
  if (half === undefined) return sources;
  const prefixed = (side: string, of: readonly Source[]) =>
    of.map((source) => ({ ...source, name: `${side}.${source.name}` }));
  const other = half === "decoder" ? "encoder" : "decoder";
  const beside = join(dirname(path), basename(path).replace(half, other));
  const found = beside !== path && await kindOf(beside) === "file" &&
    await openSafetensors(await Deno.realPath(beside));
  const rest = found ? sourcesOf([found]) : [];
  if (half === "encoder" && !found) {
    throw new RangeError(
      `Cannot open ${path}: it is the encoder of a tiny autoencoder. Put the decoder beside it, under the same name ` +
        `with "decoder" for "encoder".`,
    );
  }
  if (found && taesdHalf(namesOf(rest)) !== other) {
    throw new RangeError(`Cannot open ${path}: ${beside} beside it is no ${other} of a tiny autoencoder.`);
  }
  return [...prefixed(half, sources), ...prefixed(other, rest)];
}

function isTaesd(names: ReadonlySet<string>): boolean {
  return [...names].some((name) => /^decoder\.\d+\./.test(name));
}

function layoutOf(parts: Parts, whole: boolean): Layout {
  const { unet, vae } = parts;
  const original = unet ? isLdmUnet(namesOf(unet.sources)) : vae ? isLdmVae(namesOf(vae.sources)) : true;
  const names = original ? "original names" : "diffusers names";
  const alone = Object.keys(parts).length === 1;
  if (alone && unet) return `U-Net file, ${names}`;
  if (alone && vae && isTaesd(namesOf(vae.sources))) return "tiny VAE file, original names";
  if (alone && vae && isTinyVae(namesOf(vae.sources))) return "tiny VAE file, diffusers names";
  if (alone && vae) return `VAE file, ${names}`;
  return whole ? `single file, ${names}` : `U-Net file, ${names}`;
}

function namesOf(sources: readonly Source[]): ReadonlySet<string> {
  return new Set(sources.map(({ name }) => name));
}

function unet({ sources }: Found): Weights {
  const names = namesOf(sources);
  return new Weights("unet", sources, isLdmUnet(names) ? ldmUnet(names) : []);
}

function vae({ sources }: Found): Weights {
  const names = namesOf(sources);
  return new Weights("vae", sources, isLdmVae(names) ? ldmVae(names) : isTaesd(names) ? taesd : oldDiffusersVae);
}

function clip(part: PartName, { sources }: Found): Weights {
  const original = sources.some(({ name }) => name.startsWith("transformer.resblocks."));
  const rules: Rules = original ? openClip : transformersClip;
  return new Weights(part, sources, rules);
}

function markersOf(path: string, sources: readonly Source[]): Markers {
  const names = namesOf(sources);
  if (names.has("edm_mean") || names.has("edm_std")) {
    throw new RangeError(
      `Cannot open ${path}: its tensors edm_mean and edm_std say that it was trained on EDM's noise levels; ` +
        `the kit runs models of the DDPM noise schedule, as SDXL's.`,
    );
  }
  const marked = { velocity: names.has("v_pred"), zeroTerminalSnr: names.has("ztsnr") };
  return marked.velocity || marked.zeroTerminalSnr ? marked : NO_MARKERS;
}
