/**
 * LoRA files: low-rank differences ΔW = strength·(alpha/rank)·up·down (Hu et al. 2021, arXiv 2106.09685), under the
 * names that kohya's trainer, diffusers and PEFT give them.
 *
 * Kohya writes a module's path with underscores for dots, which cannot be undone: names are looked up among the
 * model's own, written the same way. Sources of the names: kohya-ss/sd-scripts, networks/lora.py; diffusers,
 * loaders/lora_conversion_utils.py; PEFT, tuners/lora.
 */

import { resolve } from "node:path";
import { formatShape, type Shape, sizeOf } from "../tensor/tensor.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { ldmUnetNames } from "./keys/ldm_names.ts";
import { readLoraMetadata } from "./lora_metadata.ts";
import { openSafetensors, readScalars, type SafetensorsFile, type TensorEntry } from "./safetensors.ts";
import { plain } from "./said.ts";
import type { WeightRef, Weights } from "./weights.ts";

/** One module's difference. */
export interface LoraModule {
  /** diffusers' name of the weight that it changes, for example `mid_block.resnets.0.conv1.weight`. */
  readonly key: string;
  /** `[rank, in]`, or `[rank, in, k, k]` for a convolution. */
  readonly down: WeightRef;
  /** `[out, rank]`, or `[out, rank, 1, 1]`. */
  readonly up: WeightRef;
  /** alpha/rank: what up·down is multiplied by before the strength. */
  readonly scale: number;
}

/** A network that a LoRA may change; the VAE is none of them. */
export type LoraPart = "unet" | "text_encoder" | "text_encoder_2";

/** A LoRA, matched to a model. */
export interface Lora {
  /** Absolute path. */
  readonly path: string;
  /** For each network, by the name of the weight that is changed. */
  readonly modules: Readonly<Record<LoraPart, ReadonlyMap<string, LoraModule>>>;
  /** Each that occurs, once. */
  readonly ranks: readonly number[];
  /** Modules of the file that the model does not have, and tensors that are no part of a module. */
  readonly unmatched: readonly string[];
}

/**
 * Modules that may stay unmatched before a LoRA counts as another model's. Files of the community carry a few for
 * layers that only some trainers adapt.
 */
const MAX_UNMATCHED_SHARE = 0.02;

/** What a tensor is to its module. Endings are tried in order. */
export const ROLES: readonly (readonly [RegExp, "down" | "up" | "alpha"])[] = [
  [/\.lora_down\.weight$/, "down"],
  [/\.lora_up\.weight$/, "up"],
  [/\.lora_A(?:\.[\w-]+)?\.weight$/, "down"],
  [/\.lora_B(?:\.[\w-]+)?\.weight$/, "up"],
  [/\.lora_linear_layer\.down\.weight$/, "down"],
  [/\.lora_linear_layer\.up\.weight$/, "up"],
  [/\.lora\.down\.weight$/, "down"],
  [/\.lora\.up\.weight$/, "up"],
  [/_lora\.down\.weight$/, "down"],
  [/_lora\.up\.weight$/, "up"],
  [/\.alpha$/, "alpha"],
];

/** Kinds of adapters that are not low-rank products, by what their tensors end in. */
export const OTHER_KINDS: readonly (readonly [RegExp, string])[] = [
  [/\.(dora_scale|lora_magnitude_vector(\.\w+)?(\.weight)?)$/, "DoRA (a magnitude beside the direction)"],
  [/\.hada_w[12]_[ab]$/, "LoHa (a Hadamard product)"],
  [/\.lokr_w[12](_[ab])?$/, "LoKr (a Kronecker product)"],
  [/\.lora_mid\.weight$/, "LoCon with a Tucker core (lora_mid)"],
  [/\.(diff|diff_b)$/, "a full difference (diff)"],
  [/\.(oft_blocks|oft_diag)$/, "OFT (an orthogonal rotation)"],
];

/** The part that a name's beginning means, and the beginning. `lora_te_` is the first encoder's. */
const PREFIXES: readonly (readonly [RegExp, LoraPart])[] = [
  [/^lora_unet_/, "unet"],
  [/^lora_te2_/, "text_encoder_2"],
  [/^lora_te1?_/, "text_encoder"],
  [/^lycoris_/, "unet"],
  [/^(base_model\.model\.)?unet\./, "unet"],
  [/^text_encoder_2\./, "text_encoder_2"],
  [/^text_encoder\./, "text_encoder"],
];

interface Found {
  down?: TensorEntry;
  up?: TensorEntry;
  alpha?: TensorEntry;
}

/**
 * Opens a LoRA file and finds the model's weights that it changes.
 *
 * @throws an error whose message is one sentence when it is no LoRA, a kind that the kit does not apply, or another
 * model's
 */
export async function openLora(path: string, checkpoint: Checkpoint): Promise<Lora> {
  const file = await openSafetensors(await Deno.realPath(path).catch(() => resolve(path)));
  const { found, strangers } = findModules(path, file);
  const scaleOf = readLoraMetadata(path, file.metadata);
  const alphas = await readScalars(file, [...found.values()].flatMap(({ alpha }) => alpha ? [alpha] : []));
  const names = new Map<LoraPart, ReadonlyMap<string, string>>();
  const namesOf = (part: LoraPart): ReadonlyMap<string, string> => {
    const known = names.get(part) ?? moduleNames(part, checkpoint);
    names.set(part, known);
    return known;
  };
  const modules = { unet: new Map(), text_encoder: new Map(), text_encoder_2: new Map() } satisfies Record<
    LoraPart,
    Map<string, LoraModule>
  >;
  const unmatched: string[] = [];
  for (const [name, { down, up, alpha }] of found) {
    if (!down || !up) {
      throw new RangeError(
        `Cannot use the LoRA ${path}: "${name}" has no ${down ? "up" : "down"} matrix to its other.`,
      );
    }
    const [part, rest] = partOf(name);
    const key = namesOf(part).get(normalised(rest));
    if (key === undefined) {
      unmatched.push(name);
      continue;
    }
    const rank = down.shape[0] ?? 0;
    const module = key.slice(0, -".weight".length);
    const scale = alpha === undefined ? scaleOf(part, module, rank) ?? 1 : (alphas.get(alpha.name) ?? rank) / rank;
    // Zero rows would make the scale infinite, and an alpha that is NaN would make every picture so.
    if (rank === 0 || !Number.isFinite(scale)) {
      throw new RangeError(
        `Cannot use the LoRA ${path}: "${
          plain(name)
        }" has rank ${rank} and is scaled by ${scale}; wanted are finite numbers above 0.`,
      );
    }
    if (modules[part].has(key)) {
      throw new RangeError(
        `Cannot use the LoRA ${path}: "${plain(name)}" is not the first in it that changes "${key}".`,
      );
    }
    const weight = partWeights(part, checkpoint).shape(key) ?? [];
    modules[part].set(key, fitted(path, { key, down: refOf(file, down), up: refOf(file, up), scale }, weight));
  }
  unmatched.push(...strangers);
  wantMatching(path, found.size + strangers.length, unmatched);
  const ranks = [...new Set(Object.values(modules).flatMap((of) => [...of.values()].map(({ down }) => down.shape[0])))];
  return { path: file.path, modules, ranks: ranks.sort((a, b) => a - b), unmatched };
}

function findModules(
  path: string,
  file: SafetensorsFile,
): { readonly found: ReadonlyMap<string, Found>; readonly strangers: readonly string[] } {
  const found = new Map<string, Found>();
  const strangers: string[] = [];
  for (const entry of file.tensors.values()) {
    const kind = OTHER_KINDS.find(([pattern]) => pattern.test(entry.name));
    if (kind) {
      throw new RangeError(
        `Cannot apply ${path}: "${entry.name}" makes it ${kind[1]}; the kit applies plain LoRA and LoCon.`,
      );
    }
    const role = ROLES.find(([pattern]) => pattern.test(entry.name));
    if (role === undefined) {
      strangers.push(entry.name);
      continue;
    }
    const name = entry.name.replace(role[0], "");
    const module = found.get(name) ?? {};
    const other = module[role[1]];
    if (other !== undefined) {
      throw new RangeError(
        `Cannot use the LoRA ${path}: "${plain(other.name)}" and "${plain(entry.name)}" are the same matrix.`,
      );
    }
    module[role[1]] = entry;
    found.set(name, module);
  }
  if (found.size > 0) return { found, strangers };
  const some = [...file.tensors.keys()].slice(0, 3).map((name) => `"${name}"`).join(", ");
  throw new RangeError(`Cannot use ${path} as a LoRA: it holds none; its tensors begin with ${some || "nothing"}.`);
}

/** Names without a known beginning are the U-Net's, as in diffusers' oldest files. */
export function partOf(name: string): readonly [LoraPart, string] {
  for (const [pattern, part] of PREFIXES) if (pattern.test(name)) return [part, name.replace(pattern, "")];
  return ["unet", name];
}

/** Dots as underscores, and what attention processors put between. */
function normalised(name: string): string {
  return name.replace(/\.processor\.(to_[qkv])$/, ".$1").replace(/\.processor\.to_out$/, ".to_out.0").replaceAll(
    ".",
    "_",
  );
}

function partWeights(part: LoraPart, { unet, textEncoder, textEncoder2 }: Checkpoint): Weights {
  return { unet, text_encoder: textEncoder, text_encoder_2: textEncoder2 }[part].weights;
}

/** Every module of a part that has a weight, by each name that a LoRA may give it, dots as underscores. */
function moduleNames(part: LoraPart, checkpoint: Checkpoint): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const ldm = part === "unet" ? ldmUnetNames(checkpoint.unet.architecture) : undefined;
  for (const { key } of partWeights(part, checkpoint).refs) {
    if (!key.endsWith(".weight")) continue;
    const module = key.slice(0, -".weight".length);
    names.set(module.replaceAll(".", "_"), key);
    names.set(module.replace(/^text_model\./, "").replaceAll(".", "_"), key);
    const original = ldm?.(module);
    if (original !== undefined) names.set(original.replaceAll(".", "_"), key);
  }
  return names;
}

function refOf(file: SafetensorsFile, { name, dtype, shape, offset, byteLength }: TensorEntry): WeightRef {
  return { key: name, file: file.path, dtype, shape, offset, byteLength };
}

/** The module with its matrices shaped as its weight is: 1×1 convolutions and linear layers are the same numbers. */
function fitted(path: string, module: LoraModule, weight: Shape): LoraModule {
  const { key, down, up } = module;
  const [out, ...inner] = weight;
  const rank = down.shape[0];
  const fits = sizeOf(down.shape) === rank * sizeOf(inner) && down.shape[1] === inner[0] &&
    sizeOf(up.shape) === out * rank && up.shape[0] === out;
  if (!fits) {
    throw new RangeError(
      `Cannot apply ${path}: its matrices for "${key}" are ${formatShape(down.shape)} and ${formatShape(up.shape)}, ` +
        `the model's weight is ${formatShape(weight)}. Was it made for another model?`,
    );
  }
  const pointwise = inner.slice(1).map(() => 1);
  return { ...module, down: { ...down, shape: [rank, ...inner] }, up: { ...up, shape: [out, rank, ...pointwise] } };
}

function wantMatching(path: string, total: number, unmatched: readonly string[]): void {
  if (unmatched.length <= total * MAX_UNMATCHED_SHARE) return;
  throw new RangeError(
    `Cannot apply ${path}: ${unmatched.length} of its ${total} modules are not in this model (${
      unmatched.slice(0, 3).map((name) => `"${name}"`).join(", ")
    }, …). Was it made for another model?`,
  );
}
