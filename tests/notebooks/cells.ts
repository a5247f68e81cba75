/** Notebooks as files: reading their cells, and their code as TypeScript that a compiler can check. */

import * as v from "valibot";
import { basename } from "node:path";

const text = v.pipe(
  v.union([v.string(), v.array(v.string())]),
  v.transform((lines) => Array.isArray(lines) ? lines.join("") : lines),
);

const output = v.looseObject({
  output_type: v.picklist(["stream", "display_data", "execute_result", "error"]),
  data: v.optional(v.record(v.string(), v.unknown())),
  text: v.optional(text),
});

const notebookSchema = v.looseObject({
  nbformat: v.literal(4),
  cells: v.array(v.looseObject({
    cell_type: v.picklist(["code", "markdown", "raw"]),
    source: text,
    outputs: v.optional(v.array(output)),
  })),
});

export type Notebook = v.InferOutput<typeof notebookSchema>;
export type Cell = Notebook["cells"][number];
export type Output = v.InferOutput<typeof output>;

export function parseNotebook(json: string, name: string): Notebook {
  const result = v.safeParse(notebookSchema, JSON.parse(json));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new SyntaxError(`Cannot read ${name} as a notebook: at ${v.getDotPath(issue) ?? "the top"}, ${issue.message}.`);
}

/** Paths of the notebooks of the kit, in the order that their numbers give. */
export async function notebookPaths(folder = "notebooks"): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && entry.name.endsWith(".ipynb")) names.push(`${folder}/${entry.name}`);
  }
  return names.sort();
}

/** A notebook's code in one module, with the way back from its lines. */
export interface Extracted {
  readonly source: string;
  /** Line n of `source`, counted from 1, is `lines[n]`: a cell, counted among all cells from 1, and a line in it. */
  readonly lines: readonly ({ readonly cell: number; readonly line: number } | undefined)[];
}

/** Joins the code cells: names are shared between cells as the kernel shares them. */
export function extractCells(notebook: Notebook): Extracted {
  const source: string[] = [];
  const lines: ({ cell: number; line: number } | undefined)[] = [undefined];
  notebook.cells.forEach((cell, index) => {
    if (cell.cell_type !== "code") return;
    cell.source.split("\n").forEach((line, number) => {
      source.push(line);
      lines.push({ cell: index + 1, line: number + 1 });
    });
  });
  source.push("export {};"); // top-level await wants a module
  return { source: source.join("\n") + "\n", lines };
}

/** Names the notebook, the cell and the line where a message names a line of the extracted file. */
export function nameCells(message: string, file: string, notebook: string, { lines }: Extracted): string {
  const places = new RegExp(`(?:file://)?[^\\s'"()]*${basename(file).replaceAll(".", "\\.")}:(\\d+):(\\d+)`, "g");
  return message.replace(places, (whole, line: string, column: string) => {
    const place = lines[Number(line)];
    return place === undefined ? whole : `${notebook}, cell ${place.cell}, line ${place.line}:${column}`;
  });
}
