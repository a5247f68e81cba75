/** Tables to publish: one description, written as Markdown, LaTeX, CSV, Parquet and HTML. */

import { extname } from "node:path";
import type { Provenance } from "../model/provenance.ts";
import { sidecarOf } from "./carry.ts";
import type { ProvenanceSource } from "./figure.ts";
import { beyondPdfLatex, escapeLatex } from "./latex.ts";
import { decimalsFor, formatNumber, formatSpread, isSpread, type Spread } from "./number.ts";
import { writeInto } from "./picture.ts";
import { alignedText, escapeHtml } from "./table.ts";

/** A column of a table. */
export interface Column {
  /** The rows' field, and the column's name in CSV and Parquet. */
  readonly key: string;
  /** Over the column. Default: the key. */
  readonly title?: string;
  /** Of the values: "s", "GB". */
  readonly unit?: string;
  /** Significant digits for people; files for programs keep all. Default 3. Whole numbers are shown whole. */
  readonly digits?: number;
}

/** A spread is shown as median [least, most], and makes four columns for programs. */
export type Value = string | number | boolean | Spread | null | undefined;
/** A row of a table, by its columns' keys. */
export type Row = Readonly<Record<string, Value>>;

/** What a table is made of, beside its rows. */
export interface TableOptions {
  /** In order; a text is a column of that key and title. */
  readonly columns: readonly (Column | string)[];
  /** Over the table. */
  readonly caption?: string;
  /** Under the table, a sentence each. */
  readonly notes?: readonly string[];
  /** What made it: stands in FILE.json beside the file. */
  readonly provenance?: ProvenanceSource;
}

/** A file that a table is written as. */
export type TableFormat = "md" | "tex" | "csv" | "parquet" | "html";
export const tableFormats: readonly TableFormat[] = ["md", "tex", "csv", "parquet", "html"];

/** A Polars frame, nodejs-polars' own: `frame.select("model")`, `frame.writeCSV()`, … */
export type Frame = ReturnType<(typeof import("nodejs-polars"))["DataFrame"]>;

/** Rows and columns, to be shown and to be published. */
export class Table {
  /** In order. */
  readonly columns: readonly Column[];
  /** In order. */
  readonly rows: readonly Row[];
  /** Over the table. */
  readonly caption: string | undefined;
  /** Under the table, a sentence each. */
  readonly notes: readonly string[];
  readonly #provenance: ProvenanceSource | undefined;

  /**
   * A table of one's own; `costTable` makes that of a comparison.
   * @throws RangeError without columns
   */
  constructor(rows: readonly Row[], { columns, caption, notes = [], provenance }: TableOptions) {
    if (columns.length === 0) throw new RangeError("Cannot make a table without columns.");
    this.columns = columns.map((column) => typeof column === "string" ? { key: column } : column);
    this.rows = rows;
    this.caption = caption;
    this.notes = notes;
    this.#provenance = provenance;
  }

  /** What made it. Nothing where nobody said. */
  provenance(): Promise<Provenance | undefined> {
    const source = this.#provenance;
    return Promise.resolve(typeof source === "function" ? source() : source);
  }

  /** For a terminal. */
  text(): string {
    const { heads, cells, right } = this.#words();
    return [...this.caption ? [this.caption] : [], alignedText(heads, cells, right), ...this.notes].join("\n");
  }

  /** GitHub's Markdown. */
  markdown(): string {
    const { heads, cells, right } = this.#words();
    const row = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(" | ")} |`;
    return [
      ...this.caption ? [`**${escapeMarkdown(this.caption)}**`, ""] : [],
      row(heads),
      `| ${right.map((right) => right ? "---:" : "---").join(" | ")} |`,
      ...cells.map(row),
      ...this.notes.flatMap((note) => ["", escapeMarkdown(note)]),
      "",
    ].join("\n");
  }

  /** A `table` with booktabs' rules, to be read by `\input`. Everything is escaped. */
  latex(): string {
    const { heads, cells, right } = this.#words();
    const row = (cells: readonly string[]) => `    ${cells.map(escapeLatex).join(" & ")} \\\\`;
    const body = [
      "\\begin{table}",
      "  \\centering",
      ...this.caption ? [`  \\caption{${escapeLatex(this.caption)}}`] : [],
      `  \\begin{tabular}{@{}${right.map((right) => right ? "r" : "l").join("")}@{}}`,
      "    \\toprule",
      row(heads),
      "    \\midrule",
      ...cells.map(row),
      "    \\bottomrule",
      "  \\end{tabular}",
      ...this.notes.map((note) => `  \\par\\smallskip{\\footnotesize ${escapeLatex(note)}\\par}`),
      "\\end{table}",
      "",
    ].join("\n");
    const beyond = beyondPdfLatex(body);
    const engine = beyond.length > 0 ? ` Compile with XeLaTeX or LuaLaTeX, for ${beyond.join(" ")}.` : "";
    return `% Needs \\usepackage{booktabs} and, for accents, \\usepackage[T1]{fontenc}.${engine}\n${body}`;
  }

  /** A `<table>` in the colours of the page that it stands in. */
  html(): string {
    const { heads, cells, right } = this.#words();
    const align = (index: number) => `style="text-align:${right[index] ? "right" : "left"}"`;
    const head = heads.map((text, index) => `<th scope="col" ${align(index)}>${escapeHtml(text)}</th>`).join("");
    const body = cells.map((row) =>
      `<tr>${row.map((text, index) => `<td ${align(index)}>${escapeHtml(text)}</td>`).join("")}</tr>`
    );
    const foot = this.notes.length === 0
      ? ""
      : `<tfoot><tr><td colspan="${heads.length}" style="text-align:left">${
        this.notes.map(escapeHtml).join("<br>")
      }</td></tr></tfoot>`;
    const caption = this.caption ? `<caption style="text-align:left">${escapeHtml(this.caption)}</caption>` : "";
    return `<table>${caption}<thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody>${foot}</table>`;
  }

  /** All values with all digits, a spread as `…_median`, `…_least`, `…_most`, `…_count`. Units are the columns' own. */
  async frame(): Promise<Frame> {
    const { default: polars } = await import("nodejs-polars");
    const series = this.#forPrograms().map(([name, values]) => polars.Series(name, ofOneKind(values)));
    return polars.DataFrame(series);
  }

  /** As `frame`, for spreadsheets and scripts: RFC 4180, UTF-8. */
  csv(): string {
    const columns = this.#forPrograms();
    const line = (cells: readonly (string | number | boolean | null)[]) =>
      cells.map((cell) => {
        const text = cell === null ? "" : String(cell);
        return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      }).join(",");
    return [
      line(columns.map(([name]) => name)),
      ...this.rows.map((_, row) => line(columns.map(([, cells]) => cells[row]))),
    ]
      .map((text) => `${text}\r\n`).join("");
  }

  /** As `frame`. */
  async parquet(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array((await this.frame()).writeParquet({ compression: "zstd" }));
  }

  /**
   * Writes the table; the path's ending picks the format: .md, .tex, .csv, .parquet or .html. What made it goes to
   * FILE.json beside it.
   * @throws RangeError for another ending
   */
  async save(path: string): Promise<void> {
    const format = tableFormats.find((format) => extname(path).toLowerCase() === `.${format}`);
    if (format === undefined) {
      throw new RangeError(
        `Cannot save ${path}: a table ends in .md, .tex, .csv, .parquet or .html; .png, .svg and .pdf are for figures.`,
      );
    }
    await writeInto(path, await this.#encode(format));
    const provenance = await this.provenance();
    if (provenance === undefined) return;
    await writeInto(sidecarOf(path), new TextEncoder().encode(JSON.stringify(provenance, null, 2) + "\n"));
  }

  /** Writes the table in several formats beside each other. @returns the paths */
  async saveAll(
    stem: string,
    { formats = tableFormats }: { readonly formats?: readonly TableFormat[] } = {},
  ): Promise<string[]> {
    const paths = formats.map((format) => `${stem}.${format}`);
    for (const path of paths) await this.save(path);
    return paths;
  }

  async #encode(format: TableFormat): Promise<Uint8Array<ArrayBuffer>> {
    if (format === "parquet") return await this.parquet();
    const text = { md: () => this.markdown(), tex: () => this.latex(), csv: () => this.csv(), html: () => page(this) };
    return new TextEncoder().encode(text[format]());
  }

  #words(): { heads: string[]; cells: string[][]; right: boolean[] } {
    return {
      heads: this.columns.map(({ key, title = key, unit }) => unit === undefined ? title : `${title} (${unit})`),
      cells: this.rows.map((row) => this.columns.map((column) => inWords(row[column.key], column))),
      right: this.columns.map(({ key }) =>
        this.rows.every((row) => typeof row[key] !== "string" && typeof row[key] !== "boolean")
      ),
    };
  }

  #forPrograms(): [name: string, values: (string | number | boolean | null)[]][] {
    return this.columns.flatMap(({ key }): [string, (string | number | boolean | null)[]][] => {
      const values = this.rows.map((row) => row[key] ?? null);
      if (!values.some(isSpread)) return [[key, values.map((value) => isSpread(value) ? value.median : value)]];
      return (["median", "least", "most", "count"] as const).map((part) => [
        `${key}_${part}`,
        values.map((value) => isSpread(value) ? value[part] : part === "median" ? value : null),
      ]);
    });
  }
}

/** Polars takes a column's kind from its first value and makes nulls of others: mixed columns become text. */
function ofOneKind(values: readonly (string | number | boolean | null)[]): (string | number | boolean | null)[] {
  const kinds = new Set(values.filter((value) => value !== null).map((value) => typeof value));
  return kinds.size < 2 ? [...values] : values.map((value) => value === null ? null : String(value));
}

function inWords(value: Value, { digits = 3 }: Column): string {
  if (value === null || value === undefined) return "–";
  if (isSpread(value)) return formatSpread(value, digits);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  return formatNumber(value, Number.isInteger(value) ? 0 : decimalsFor(value, digits));
}

/** As text, and never as markup or as the end of a cell. */
function escapeMarkdown(text: string): string {
  return text.replace(/[\\|*_`[\]~#]/g, "\\$&").replace(/[&<>]/g, escapeHtml).replace(/\s*\n\s*/g, "<br>");
}

function page(table: Table): string {
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    `<title>${escapeHtml(table.caption ?? "Table")}</title>`,
    "<style>:root{color-scheme:light dark}body{font:14px/1.4 system-ui,sans-serif;margin:2em}" +
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}caption{font-weight:600;padding:0 0 .5em}" +
    "th,td{padding:.2em .8em}thead th{border-top:2px solid;border-bottom:1px solid}tbody tr:last-child td{border-bottom:2px solid}" +
    "tfoot{font-size:.9em}</style></head>",
    `<body>${table.html()}</body></html>`,
    "",
  ].join("\n");
}
