/** An inspection as people read it: facts, what is wrong, tables, and how to run it. */

import type { Inspection } from "../model/inspect/inspection.ts";
import { type InspectionOptions, type List, sheetOf } from "./inspection_sheet.ts";
import { escapeHtml, tableHtml, tableText } from "./table.ts";

export type { InspectionOptions } from "./inspection_sheet.ts";

/** The columns that a terminal has at least; facts that are longer go on below. */
const WIDTH = 100;

const grouped = { digits: "grouped" } as const;

/** For a terminal: columns aligned, nothing cut; commands stay on one line, to be copied. */
export function inspectionText(inspection: Inspection, options: InspectionOptions = {}): string {
  const { heading, facts, alarms, tables, lists } = sheetOf(inspection, options);
  const label = Math.max(...facts.map(([label]) => label.length)) + 2;
  return [
    heading,
    facts.map(([name, text]) => name.padEnd(label) + wrapped(text, label)).join("\n"),
    ...alarms.map(listText),
    ...tables.map((rows) => tableText(rows, grouped)),
    ...lists.map(listText),
  ].join("\n\n");
}

function listText({ title, lines, copied }: List): string {
  return [title, ...lines.map((line) => `  ${copied ? line : wrapped(line, 2)}`)].join("\n");
}

/** For a cell. Names from files are escaped. */
export function inspectionHtml(inspection: Inspection, options: InspectionOptions = {}): string {
  const { heading, facts, alarms, tables, lists } = sheetOf(inspection, options);
  const rows = facts.map(([label, text]) =>
    `<tr><th style="text-align:left">${escapeHtml(label)}</th><td style="text-align:left">${escapeHtml(text)}</td></tr>`
  );
  return [
    `<p><b>${escapeHtml(heading)}</b></p>`,
    `<table><tbody>${rows.join("")}</tbody></table>`,
    ...alarms.map(listHtml),
    ...tables.map((rows) => tableHtml(rows, grouped)),
    ...lists.map(listHtml),
  ].join("\n");
}

function listHtml({ title, lines }: List): string {
  return `<p>${escapeHtml(title)}</p><pre style="margin:0 0 1em 1em">${lines.map(escapeHtml).join("\n")}</pre>`;
}

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
