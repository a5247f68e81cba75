/** Rows of plain values as a table: HTML for a notebook, aligned columns for a terminal. */

export type TableCell = string | number | boolean | bigint | null | undefined;
/** A row of plain values, by column. */
export type TableRow = Readonly<Record<string, TableCell>>;

export interface TableOptions {
  /** "grouped": 2,567,463,684. Default "plain", as seeds and ids are written. */
  readonly digits?: "plain" | "grouped";
}

/** Whether a value is a list of flat objects, which reads best as a table. */
export function isTable(value: unknown): value is readonly TableRow[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((row) =>
      typeof row === "object" && row !== null && Object.getPrototypeOf(row) === Object.prototype &&
      Object.values(row).every((cell) => cell === null || typeof cell !== "object")
    );
}

/** Column names in the order in which they first appear. */
function columnsOf(rows: readonly TableRow[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

/** Numbers with up to four significant decimals; nothing for a missing value. */
export function formatCell(value: TableCell, { digits = "plain" }: TableOptions = {}): string {
  if (value === null || value === undefined) return "";
  if (digits === "grouped" && isNumber(value)) return value.toLocaleString("en");
  if (typeof value !== "number" || Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-3 || magnitude >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(Math.max(4, Math.ceil(Math.log10(magnitude + 1))))));
}

const isNumber = (value: TableCell): value is number | bigint => typeof value === "number" || typeof value === "bigint";

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => escapes[letter]);
}

/** As HTML, without the control characters that no XML file may hold. */
export function escapeXml(text: string): string {
  // deno-lint-ignore no-control-regex
  return escapeHtml(text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "\ufffd"));
}

export function tableHtml(rows: readonly TableRow[], options?: TableOptions): string {
  const columns = columnsOf(rows);
  const head = columns.map((name) => `<th style="text-align:left">${escapeHtml(name)}</th>`).join("");
  const body = rows.map((row) => {
    const cells = columns.map((name) => {
      const align = isNumber(row[name]) ? "right" : "left";
      return `<td style="text-align:${align}">${escapeHtml(formatCell(row[name], options))}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

export function tableText(rows: readonly TableRow[], options?: TableOptions): string {
  const columns = columnsOf(rows);
  const cells = rows.map((row) => columns.map((name) => formatCell(row[name], options)));
  const numeric = columns.map((name) => rows.every((row) => row[name] === undefined || isNumber(row[name])));
  return alignedText(columns, cells, numeric);
}

/** Columns side by side for a terminal, each to its side. */
export function alignedText(
  heads: readonly string[],
  cells: readonly (readonly string[])[],
  right: readonly boolean[],
): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => right[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))
      .join("  ").trimEnd();
  return [line(heads), ...cells.map(line)].join("\n");
}
