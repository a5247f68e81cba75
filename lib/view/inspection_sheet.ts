/** What an inspection's report says, before it is laid out for a terminal or a cell. */

import type {
  Aside,
  CheckpointInspection,
  DTypeCount,
  Inspection,
  KeyReport,
  LoraInspection,
  StoredFile,
} from "../model/inspect/inspection.ts";
import { architectureInWords, blockInWords } from "./architecture.ts";
import { computedIn, computingReasons, computingRows } from "./computing.ts";
import type { TableRow } from "./table.ts";

export interface InspectionOptions {
  /** "all" lists every missing, misfitting, unknown and unread tensor. Default "some": the first few. */
  readonly keys?: "some" | "all";
  /** "all" says for each device and precision which operators the networks would become, and why. Default "names". */
  readonly devices?: "names" | "all";
}

/** The same report for a terminal and for a cell. */
export interface Sheet {
  readonly heading: string;
  readonly facts: readonly (readonly [label: string, text: string])[];
  readonly tables: readonly (readonly TableRow[])[];
  readonly lists: readonly List[];
  /** What is wrong: above the tables. */
  readonly alarms: readonly List[];
}

export interface List {
  readonly title: string;
  readonly lines: readonly string[];
  /** Written to be copied: never broken, never shortened. */
  readonly copied?: true;
}

/** Names shown of a list before the rest is only counted. */
const FEW = 6;

/** Of a checkpoint or of a LoRA. */
export function sheetOf(inspection: Inspection, options: InspectionOptions): Sheet {
  return inspection.inspected === "lora" ? loraSheet(inspection, options) : checkpointSheet(inspection, options);
}

function checkpointSheet(inspection: CheckpointInspection, options: InspectionOptions): Sheet {
  const { path, layout, bytes, parts, lacks, structure, prediction, faults, notes } = inspection;
  const unet = parts.find(({ part }) => part === "unet");
  const architecture = unet?.architecture;
  const told = [...new Set(parts.flatMap(({ told }) => told ? [toldBy[told]] : []))];
  // Shapes do not tell heads. The VAE has one.
  const guessed = parts.some(({ part, told }) => told === "by shapes" && part !== "vae");
  const sizes = aligned(parts.map(({ bytes }) => formatSize(bytes)));
  const shares = aligned((unet?.blocks ?? []).map(({ parameters }) => share(parameters, unet?.parameters ?? 1)));
  return {
    heading: `${path}: ${layout}, ${formatSize(bytes)}`,
    facts: [
      ...structure ? [["structure", structure.name] as const] : [],
      ...distilled(inspection),
      ...hashed(inspection),
      ...unet ? [["predicts", `${prediction.type} (${prediction.told})`] as const] : [],
      ...inspection.scheduler === undefined ? [] : [["scheduler", inspection.scheduler] as const],
      ...inspection.markers.map((marker) => ["marker", marker] as const),
      ...inspection.tokenizers.length > 0 ? [["tokenizers", inspection.tokenizers.join(", ")] as const] : [],
      ...lacks.length > 0 ? [["lacks", `${lacks.join(", ")}: the model that it is opened with has them`] as const] : [],
      ...parts.flatMap(({ part, architecture }) =>
        architecture === undefined ? [] : [[part, architectureInWords(architecture)] as const]
      ),
      ...told.length > 0
        ? [["told", `${told.join(", ")}${guessed ? "; heads of 64 channels are taken for granted" : ""}`] as const]
        : [],
      ...computedIn(inspection),
      ["read", "as it lies: the graph splits, transposes, squeezes and casts; nothing is copied"],
    ],
    tables: [
      parts.map(({ part, parameters, tensors, dtypes, files }, index) => ({
        part,
        parameters,
        tensors,
        stored: dtypesInWords(dtypes),
        size: sizes[index],
        ...layout === "diffusers folder" ? { file: filesInWords(files) } : {},
      })),
      (unet?.blocks ?? []).map(({ name, parameters }, index) => ({
        "U-Net block": name,
        ...architecture !== undefined && "down" in architecture ? blockInWords(architecture, name) : {},
        parameters,
        share: shares[index],
      })),
      withoutZeros([
        ...parts.flatMap(({ part, keys }) => keys === undefined ? [] : [keyRow(part, keys)]),
        ...inspection.aside.length + inspection.unknown.length > 0 ? [strayRow(inspection)] : [],
      ]),
      options.devices === "all" ? computingRows(inspection) : [],
    ].filter((rows) => rows.length > 0),
    alarms: [...sentences("Faults:", faults), ...sentences("Notes:", notes)],
    lists: [
      ...keyLists(inspection, options),
      ...options.devices === "all" ? sentences("Computed so, because:", computingReasons(inspection)) : [],
      ...metadataList(inspection),
      ...runs(inspection),
    ],
  };
}

const toldBy = {
  "by config": "by its config files",
  "by shapes": "by the shapes of its tensors",
} as const;

function keyRow(part: string, { used, renamed, views, missing, misfits, aside, unknown }: KeyReport): TableRow {
  return {
    "tensors of": part,
    read: used,
    renamed,
    split: views.rows,
    transposed: views.transpose,
    squeezed: views.squeeze,
    cast: views.cast,
    unread: countAside(aside),
    misfits: misfits.length,
    missing: missing.length,
    unknown: unknown.length,
  };
}

/** Tensors of a single file that stand under no part's prefix. */
function strayRow({ aside, unknown }: CheckpointInspection): TableRow {
  return { "tensors of": "no part", unread: countAside(aside), unknown: unknown.length };
}

function countAside(aside: readonly Aside[]): number {
  return aside.reduce((sum, { names }) => sum + names.length, 0);
}

/** What a reader looks for even where there is none. */
const ALWAYS: readonly string[] = ["missing", "unknown"];

/** Rows without the columns that hold nothing but zeros. */
function withoutZeros(rows: readonly TableRow[]): readonly TableRow[] {
  const kept = Object.keys(rows[0] ?? {}).filter((name) =>
    ALWAYS.includes(name) || rows.some((row) => (row[name] ?? 0) !== 0)
  );
  return rows.map((row) => Object.fromEntries(kept.map((name) => [name, row[name]])));
}

function share(parameters: number, all: number): string {
  return `${(100 * parameters / all).toFixed(1)} %`;
}

function aligned(texts: readonly string[]): readonly string[] {
  const width = Math.max(...texts.map((text) => text.length));
  return texts.map((text) => text.padStart(width));
}

function keyLists(
  { parts, aside, unknown }: CheckpointInspection,
  { keys = "some" }: InspectionOptions,
): readonly List[] {
  const listed = (title: string, lines: readonly string[]): readonly List[] => {
    if (lines.length === 0) return [];
    const most = keys === "all" ? lines.length : FEW;
    const rest = lines.length - most;
    return [{
      title,
      lines: rest > 0 ? [...lines.slice(0, most), `and ${rest.toLocaleString("en")} more (--keys)`] : lines,
    }];
  };
  const shape = (sizes: readonly number[]) => `[${sizes.join(", ")}]`;
  const reports = parts.flatMap(({ part, keys }) => keys ? [{ part, ...keys }] : []);
  const left = [
    ...reports.flatMap(({ part, aside }) => aside.map((group) => ({ of: `${part}: `, ...group }))),
    ...aside.map((group) => ({ of: "", ...group })),
  ];
  return [
    ...reports.flatMap(({ part, missing }) =>
      listed(`Missing in the ${part}:`, missing.map(({ key, shape: wanted }) => `${key} ${shape(wanted)}`))
    ),
    ...reports.flatMap(({ part, misfits }) =>
      listed(
        `Of another shape in the ${part}:`,
        misfits.map(({ key, shape: stored, wanted }) => `${key} ${shape(stored)}, wanted ${shape(wanted)}`),
      )
    ),
    ...listed("Unknown:", [...reports.flatMap(({ unknown }) => unknown), ...unknown]),
    ...keys === "all"
      ? left.flatMap(({ of, why, names }) => listed(`Unread, ${of}${why}:`, names))
      : listed("Unread:", left.map(({ of, why, names }) => `${of}${names.length.toLocaleString("en")}, ${why}`)),
  ];
}

function loraSheet(lora: LoraInspection, { keys = "some" }: InspectionOptions): Sheet {
  const { path, bytes, naming, parameters, dtypes, ranks, scales, modules, unknown, refused } = lora;
  const often = (rows: readonly (readonly [number, number])[]) =>
    rows.length === 1
      ? formatNumber(rows[0][0])
      : rows.slice(0, FEW).map(([value, modules]) => `${formatNumber(value)} (${modules} modules)`).join(", ") +
        (rows.length > FEW ? `, and ${rows.length - FEW} others` : "");
  const most = keys === "all" ? unknown.length : FEW;
  const rest = unknown.length - most;
  return {
    heading: `${path}: LoRA, ${formatSize(bytes)}`,
    facts: [
      ...distilled(lora),
      ...hashed(lora),
      ["made for", lora.madeFor],
      ["names", naming],
      ...ranks.length > 0 ? [["rank", often(ranks.map(({ rank, modules }) => [rank, modules]))] as const] : [],
      ...scales.length > 0
        ? [["alpha/rank", often(scales.map(({ scale, modules }) => [scale, modules]))] as const]
        : [],
      ["parameters", parameters.toLocaleString("en")],
      ["stored", dtypesInWords(dtypes)],
    ],
    tables: modules.length > 0 ? [modules.map((row) => ({ ...row }))] : [],
    alarms: sentences("Not applied:", refused === undefined ? [] : [refused]),
    lists: [
      ...unknown.length > 0
        ? [{ title: "Unknown:", lines: rest > 0 ? [...unknown.slice(0, most), `and ${rest} more (--keys)`] : unknown }]
        : [],
      ...metadataList(lora),
      ...runs(lora),
    ],
  };
}

function distilled(
  { distillation: { family, certainty, reason } }: Inspection,
): readonly (readonly [string, string])[] {
  return [["distillation", `${certainty === "likely" ? "likely " : ""}${family} (${reason})`]];
}

function hashed({ hashes }: Inspection): readonly (readonly [string, string])[] {
  return hashes.map(({ name, sha256, published }) => {
    const known = published ? `${published.repository}, ${published.file}` : "no published file that the kit knows";
    return ["sha256", `${sha256} (${name}: ${known})`] as const;
  });
}

function sentences(title: string, lines: readonly string[]): readonly List[] {
  return lines.length === 0 ? [] : [{ title, lines }];
}

function metadataList({ metadata }: Inspection): readonly List[] {
  return sentences("Metadata:", Object.entries(metadata).map(([key, text]) => `${key}: ${text}`));
}

function runs({ recipes }: Inspection): readonly List[] {
  if (recipes.length === 0) return [];
  const alone = recipes.every(({ command }) => !command.includes("--model MODEL"));
  const title = alone ? "Run it:" : "Run it, with a whole checkpoint of the same structure as MODEL:";
  return [{ title, lines: recipes.map(({ command }) => command), copied: true }];
}

function filesInWords(files: readonly StoredFile[]): string {
  return files.length > 1 ? `${files[0].name} and ${files.length - 1} more` : files[0]?.name ?? "none";
}

/** "F16"; "mixed: 175 F16, 1 F32". */
function dtypesInWords(dtypes: readonly DTypeCount[]): string {
  if (dtypes.length <= 1) return dtypes[0]?.dtype ?? "nothing";
  return `mixed: ${dtypes.map(({ dtype, tensors }) => `${tensors.toLocaleString("en")} ${dtype}`).join(", ")}`;
}

/** Bytes in powers of ten, as disks count them. */
function formatSize(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

const formatNumber = (value: number) => String(Number(value.toPrecision(4)));
