/** An inspection as people read it: facts, tables, what is wrong, and how to run it. */

import type { CheckpointInspection, DTypeCount, Inspection, LoraInspection } from "../model/inspect/inspection.ts";
import { architectureInWords } from "./architecture.ts";
import { escapeHtml, tableHtml, type TableRow, tableText } from "./table.ts";

export interface InspectionOptions {
  /** "all" lists every missing, misfitting, unknown and unread tensor. Default "some": the first few. */
  readonly keys?: "some" | "all";
}

/** The same report for a terminal and for a cell. */
interface Sheet {
  readonly heading: string;
  readonly facts: readonly (readonly [label: string, text: string])[];
  readonly tables: readonly (readonly TableRow[])[];
  readonly lists: readonly List[];
}

interface List {
  readonly title: string;
  readonly lines: readonly string[];
  /** Written to be copied: never broken, never shortened. */
  readonly copied?: true;
}

/** Names shown of a list before the rest is only counted. */
const FEW = 6;

/** The columns that a terminal has at least; facts that are longer go on below. */
const WIDTH = 100;

const grouped = { digits: "grouped" } as const;

export function inspectionText(inspection: Inspection, options: InspectionOptions = {}): string {
  const { heading, facts, tables, lists } = sheetOf(inspection, options);
  const label = Math.max(...facts.map(([label]) => label.length)) + 2;
  return [
    heading,
    facts.map(([name, text]) => name.padEnd(label) + wrapped(text, label)).join("\n"),
    ...tables.map((rows) => tableText(rows, grouped)),
    ...lists.map(({ title, lines, copied }) =>
      [title, ...lines.map((line) => `  ${copied ? line : wrapped(line, 2)}`)].join("\n")
    ),
  ].join("\n\n");
}

export function inspectionHtml(inspection: Inspection, options: InspectionOptions = {}): string {
  const { heading, facts, tables, lists } = sheetOf(inspection, options);
  const rows = facts.map(([label, text]) =>
    `<tr><th style="text-align:left">${escapeHtml(label)}</th><td style="text-align:left">${escapeHtml(text)}</td></tr>`
  );
  return [
    `<p><b>${escapeHtml(heading)}</b></p>`,
    `<table><tbody>${rows.join("")}</tbody></table>`,
    ...tables.map((rows) => tableHtml(rows, grouped)),
    ...lists.map(({ title, lines }) =>
      `<p>${escapeHtml(title)}</p><pre style="margin:0 0 1em 1em">${lines.map(escapeHtml).join("\n")}</pre>`
    ),
  ].join("\n");
}

function sheetOf(inspection: Inspection, options: InspectionOptions): Sheet {
  return inspection.inspected === "lora" ? loraSheet(inspection, options) : checkpointSheet(inspection, options);
}

function checkpointSheet(inspection: CheckpointInspection, options: InspectionOptions): Sheet {
  const { path, layout, bytes, parts, lacks, structure, prediction, faults, notes } = inspection;
  const unet = parts.find(({ part }) => part === "unet");
  const total = unet?.parameters ?? 0;
  return {
    heading: `${path}: ${layout}, ${formatSize(bytes)}`,
    facts: [
      ...structure ? [["structure", structure.name] as const] : [],
      ...distilled(inspection),
      ...unet ? [["predicts", `${prediction.type} (${prediction.told})`] as const] : [],
      ...inspection.scheduler === undefined ? [] : [["scheduler", inspection.scheduler] as const],
      ...inspection.markers.map((marker) => ["marker", marker] as const),
      ...inspection.tokenizers.length > 0 ? [["tokenizers", inspection.tokenizers.join(", ")] as const] : [],
      ...lacks.length > 0
        ? [["lacks", `${lacks.join(", ")}: taken from the model that it is opened with`] as const]
        : [],
      ...parts.flatMap(({ part, architecture, told }) =>
        architecture === undefined ? [] : [[part, `${architectureInWords(architecture)} (${told})`] as const]
      ),
      ...Object.entries(inspection.metadata),
    ],
    tables: [
      parts.map(({ part, parameters, tensors, dtypes, bytes, files }) => ({
        part,
        parameters,
        tensors,
        stored: dtypesInWords(dtypes),
        size: formatSize(bytes),
        file: files.length > 1 ? `${files[0].name} and ${files.length - 1} more` : files[0]?.name,
      })),
      ...unet && unet.blocks.length > 0
        ? [unet.blocks.map(({ name, parameters }) => ({
          "U-Net block": name,
          parameters,
          share: `${(100 * parameters / total).toFixed(1)} %`.padStart("100.0 %".length),
        }))]
        : [],
      ...parts.some(({ keys }) => keys)
        ? [parts.flatMap(({ part, keys }) =>
          keys === undefined ? [] : [{
            "tensors of": part,
            read: keys.used,
            renamed: keys.renamed,
            split: keys.views.rows,
            transposed: keys.views.transpose,
            squeezed: keys.views.squeeze,
            cast: keys.views.cast,
            missing: keys.missing.length,
            misfits: keys.misfits.length,
            unread: keys.aside.reduce((sum, { names }) => sum + names.length, 0),
            unknown: keys.unknown.length,
          }]
        )]
        : [],
    ],
    lists: [
      ...keyLists(inspection, options),
      ...sentences("Faults:", faults),
      ...sentences("Notes:", notes),
      ...runs(inspection),
    ],
  };
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
      ["made for", lora.madeFor],
      ["names", naming],
      ...ranks.length > 0 ? [["rank", often(ranks.map(({ rank, modules }) => [rank, modules]))] as const] : [],
      ...scales.length > 0
        ? [["alpha/rank", often(scales.map(({ scale, modules }) => [scale, modules]))] as const]
        : [],
      ["parameters", parameters.toLocaleString("en")],
      ["stored", dtypesInWords(dtypes)],
      ...Object.entries(lora.metadata),
    ],
    tables: modules.length > 0 ? [modules.map((row) => ({ ...row }))] : [],
    lists: [
      ...unknown.length > 0
        ? [{ title: "Unknown:", lines: rest > 0 ? [...unknown.slice(0, most), `and ${rest} more (--keys)`] : unknown }]
        : [],
      ...sentences("Not applied:", refused === undefined ? [] : [refused]),
      ...runs(lora),
    ],
  };
}

function distilled(
  { distillation: { family, certainty, reason } }: Inspection,
): readonly (readonly [string, string])[] {
  return [["distilled to", `${certainty === "likely" ? "likely " : ""}${family} (${reason})`]];
}

function sentences(title: string, lines: readonly string[]): readonly List[] {
  return lines.length === 0 ? [] : [{ title, lines }];
}

function runs({ recipes }: Inspection): readonly List[] {
  return recipes.length === 0 ? [] : [{ title: "Run it:", lines: recipes.map(({ command }) => command), copied: true }];
}

/** "F16"; "mixed: F16, 4 % F32". */
function dtypesInWords(dtypes: readonly DTypeCount[]): string {
  if (dtypes.length <= 1) return dtypes[0]?.dtype ?? "nothing";
  const all = dtypes.reduce((sum, { parameters }) => sum + parameters, 0);
  const shares = dtypes.map(({ dtype, parameters }) => `${Number((100 * parameters / all).toPrecision(2))} % ${dtype}`);
  return `mixed: ${shares.join(", ")}`;
}

/** Bytes in powers of ten, as disks count them. */
function formatSize(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

const formatNumber = (value: number) => String(Number(value.toPrecision(4)));

/** Breaks a text between words, the lines after the first indented. */
function wrapped(text: string, indent: number): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}
