/** What the header of a LoRA file tells: how it is named, what it changes, how strongly, and for which model. */

import { basename } from "node:path";
import type { PartName } from "../../weights/checkpoint.ts";
import { OTHER_KINDS, partOf, ROLES } from "../../weights/lora.ts";
import { readLoraMetadata, type ScaleOf } from "../../weights/lora_metadata.ts";
import { readScalars, type SafetensorsFile, type TensorEntry } from "../../weights/safetensors.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { commandsFor } from "./commands.ts";
import { countDTypes, remarks } from "./counts.ts";
import { guessDistillation } from "./distillation.ts";
import type { LoraInspection } from "./inspection.ts";
import { hashesOf, type HashHabit } from "./published.ts";

/** Whose way of naming the matrices an ending is. */
const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/\.lora_down\.weight$/, "lora_down, lora_up"],
  [/\.lora_A(?:\.[\w-]+)?\.weight$/, "lora_A, lora_B (PEFT)"],
  [/\.lora_linear_layer\.down\.weight$/, "lora_linear_layer.down, .up (diffusers)"],
  [/\.lora\.down\.weight$/, "lora.down, lora.up (diffusers)"],
  [/_lora\.down\.weight$/, "to_q_lora.down, .up (diffusers' old attention processors)"],
];

/** The block names after kohya's prefix: the original repository's, or diffusers'. */
const PREFIXES: readonly (readonly [RegExp, string])[] = [
  [
    /^(lora_unet|lycoris)_(input_blocks|middle_block|output_blocks|label_emb|time_embed)_/,
    "kohya, original block names",
  ],
  [/^(lora_unet|lycoris)_/, "kohya, diffusers' block names"],
  [/^lora_te\d?_/, "kohya"],
  [/^(base_model\.model\.)?unet\.|^text_encoder(_2)?\./, "diffusers' names with the part's prefix"],
];

/** Kinds of layers by their names, dots as underscores. The first that matches counts. */
const LAYERS: readonly (readonly [RegExp, string])[] = [
  [/attn\d?_|self_attn_|_to_(q|k|v|out)/, "attention"],
  [/_(ff_net|mlp)_/, "feed-forward"],
  [/_proj_(in|out)$/, "projections around attention"],
  [/(time_emb_proj|emb_layers|time_embed|time_embedding|label_emb|add_embedding)/, "timestep and size"],
  [/(conv|in_layers|out_layers|skip_connection|_op$|downsamplers|upsamplers)/, "convolutions"],
];

/** Widths of the text that cross-attention reads, in the models that LoRAs are made for. */
const MADE_FOR: Readonly<Record<number, string>> = {
  2048: "SDXL",
  1280: "SDXL refiner",
  1024: "Stable Diffusion 2",
  768: "Stable Diffusion 1",
  192: "Fewstep's pocket model",
};

/** Whether a file is an adapter: most of its tensors are low-rank matrices, of whatever kind. */
export function isLora({ tensors }: SafetensorsFile): boolean {
  const patterns = [...ROLES.filter(([, role]) => role !== "alpha"), ...OTHER_KINDS].map(([pattern]) => pattern);
  let adapted = 0;
  for (const name of tensors.keys()) if (patterns.some((pattern) => pattern.test(name))) adapted++;
  return adapted * 3 >= tensors.size && adapted > 0; // of two matrices and an alpha, at least one
}

interface Module {
  down?: TensorEntry;
  up?: TensorEntry;
  alpha?: TensorEntry;
}

/** Reads the header, with PEFT's settings in it, and the few bytes of the alphas. */
export async function inspectLora(path: string, file: SafetensorsFile, hash: HashHabit): Promise<LoraInspection> {
  const modules = new Map<string, Module>();
  const endings = new Set<string>();
  const others = new Map<string, string>();
  const unknown: string[] = [];
  for (const entry of file.tensors.values()) {
    const { name } = entry;
    const role = ROLES.find(([pattern]) => pattern.test(name));
    const other = OTHER_KINDS.find(([pattern]) => pattern.test(name));
    if (other) others.set(other[1], name);
    else if (role) {
      const [pattern, kind] = role;
      const module = name.replace(pattern, "");
      modules.set(module, { ...modules.get(module), [kind]: entry });
      const ending = ENDINGS.find(([pattern]) => pattern.test(name));
      if (ending) endings.add(ending[1]);
    } else unknown.push(name);
  }
  const plain = [...modules].filter(([, { down, up }]) => down ?? up);
  const entries = [...file.tensors.values()];
  const hashes = await hashesOf([{ name: basename(file.path), path: file.path }], hash);
  const guess = guessDistillation({ path, published: hashes[0]?.published, metadata: file.metadata });
  const { recipes, steps, ...distillation } = guess;
  const settings = settingsOf(path, file);
  const refused = refusal(others, plain) ?? settings.refused;
  return {
    inspected: "lora",
    path,
    bytes: file.byteLength,
    naming: namingOf(file, endings),
    tensors: entries.length,
    parameters: entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    dtypes: countDTypes(entries),
    modules: countModules([...modules.keys()]),
    ranks: count(plain.flatMap(([, { down }]) => down ? [down.shape[0]] : []))
      .map(([rank, modules]) => ({ rank, modules })),
    scales: count(await scalesOf(file, plain, settings.scaleOf))
      .map(([scale, modules]) => ({ scale, modules })),
    madeFor: madeFor(plain),
    refused,
    unknown,
    metadata: remarks(file.metadata),
    hashes,
    distillation,
    recipes: refused === undefined ? commandsFor(recipes, { path, use: "lora", steps }) : [],
  };
}

function refusal(others: ReadonlyMap<string, string>, plain: readonly (readonly [string, Module])[]) {
  for (const [kind, name] of others) {
    return `"${name}" makes it ${kind}; the kit applies plain LoRA and LoCon.`;
  }
  const half = plain.find(([, { down, up }]) => !down || !up);
  if (half) return `"${half[0]}" has no ${half[1].down ? "up" : "down"} matrix to its other. Is the file complete?`;
}

function namingOf({ tensors }: SafetensorsFile, endings: ReadonlySet<string>): string {
  const names = [...tensors.keys()];
  const prefixes = PREFIXES.filter(([pattern]) => names.some((name) => pattern.test(name)));
  const prefix = prefixes[0]?.[1] ?? "diffusers' names without a prefix";
  return [prefix, ...endings].join("; ");
}

const PART_ORDER: readonly PartName[] = ["unet", "text_encoder", "text_encoder_2"];

function countModules(names: readonly string[]): LoraInspection["modules"] {
  const counts = new Map<string, { part: PartName; layers: string; modules: number }>();
  for (const name of names) {
    const [part] = partOf(name);
    const layers = LAYERS.find(([pattern]) => pattern.test(name.replaceAll(".", "_")))?.[1] ?? "others";
    const row = counts.get(`${part} ${layers}`) ?? { part, layers, modules: 0 };
    counts.set(`${part} ${layers}`, { ...row, modules: row.modules + 1 });
  }
  return [...counts.values()].sort((a, b) =>
    PART_ORDER.indexOf(a.part) - PART_ORDER.indexOf(b.part) || b.modules - a.modules
  );
}

/** What PEFT's settings say; settings that the kit does not apply are told, as opening it would tell them. */
function settingsOf(path: string, { metadata }: SafetensorsFile): { scaleOf: ScaleOf; refused?: string } {
  try {
    return { scaleOf: readLoraMetadata(path, metadata) };
  } catch (error) {
    return { scaleOf: () => undefined, refused: error instanceof Error ? error.message : String(error) };
  }
}

async function scalesOf(
  file: SafetensorsFile,
  modules: readonly (readonly [name: string, Module])[],
  scaleOf: ScaleOf,
): Promise<readonly number[]> {
  const alphas = await readScalars(file, modules.flatMap(([, { alpha }]) => alpha ? [alpha] : []));
  return modules.map(([name, { down, alpha }]) => {
    if (down === undefined) return 1;
    const [rank] = down.shape;
    const value = alpha && alphas.get(alpha.name);
    return value === undefined ? scaleOf(...partOf(name), rank) ?? 1 : value / rank;
  });
}

/** Different values and how often each is there, the most frequent first. */
function count(values: readonly number[]): readonly (readonly [number, number])[] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

function madeFor(modules: readonly (readonly [string, Module])[]): string {
  const cross = modules.find(([name]) => /attn2[._](processor\.)?to_k/.test(name));
  const width = cross?.[1].down?.shape[1];
  if (width === undefined) return "cannot tell: it has no cross-attention";
  return `${MADE_FOR[width] ?? "a model that the kit does not know"} (text of width ${width})`;
}
