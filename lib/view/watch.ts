/** How a sweep goes, drawn anew in its place: in a cell, or in a terminal. */

import { display, inNotebook } from "./notebook.ts";
import { escapeHtml } from "./table.ts";

/** One of those that run cells. */
export interface WorkerState {
  /** As logs call it: "worker 1" on this machine; on a queue with the host's name before it. */
  readonly name: string;
  /** The model whose cells it runs. */
  readonly model?: string;
  /** Cells that it finished. */
  readonly done: number;
  /** Cells whose last try failed with it: they were set aside. */
  readonly failed: number;
  /** Cells a second, over the last minute. */
  readonly rate: number;
  /** Bytes resident, where they are known. */
  readonly memory?: number;
  /** "lost": a worker of a queue that was not heard of for a while. */
  readonly is: "working" | "idle" | "lost";
}

/** How a sweep goes. */
export interface SweepState {
  /** Cells in all, of them finished (stored before included) and set aside. */
  readonly total: number;
  /** Finished, those that were stored before included. */
  readonly done: number;
  /** Set aside after their last try. */
  readonly failed: number;
  /** Of the finished, those that were stored before. */
  readonly before: number;
  /** Cells a second, over the last minute. */
  readonly rate: number;
  /** Since the sweep was begun. */
  readonly elapsedSeconds: number;
  /** Left out until something was finished. */
  readonly remainingSeconds?: number;
  /** Those of this machine, or all of the queue that were heard of. */
  readonly workers: readonly WorkerState[];
  /** The last ones. */
  readonly failures: readonly { readonly cell: string; readonly error: string }[];
  /** Whether nothing is left to run, or it was stopped. */
  readonly ended: boolean;
}

/** Draws states where people look: the cell in a notebook, stderr where that is a terminal, else nowhere. */
export function watch(): (state: SweepState) => void | Promise<void> {
  if (inNotebook) return cellWatch();
  return Deno.stderr.isTerminal() ? terminalWatch() : () => {};
}

/** Milliseconds between two drawings. */
const REDRAW_MS = 250;

function cellWatch(): (state: SweepState) => Promise<void> {
  const id = crypto.randomUUID();
  let update = false;
  let drawn = -Infinity;
  return async (state) => {
    if (!state.ended && performance.now() - drawn < REDRAW_MS) return;
    drawn = performance.now();
    const bundle = { "text/html": sweepHtml(state), "text/plain": sweepText(state).join("\n") };
    await display(bundle, { id, update, more: !state.ended });
    update = true;
  };
}

/** @param write Default: to stderr */
export function terminalWatch(
  write: (text: string) => void = (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
  width: () => number = () => Deno.consoleSize().columns,
): (state: SweepState) => void {
  let lines = 0;
  let drawn = -Infinity;
  return (state) => {
    if (!state.ended && performance.now() - drawn < REDRAW_MS) return;
    drawn = performance.now();
    const text = sweepText(state).map((line) => line.slice(0, Math.max(20, width() - 1)));
    // Up to where the last drawing began, then each line anew, and nothing left below.
    write(`${lines > 0 ? `\x1b[${lines}A` : ""}\r${text.map((line) => `\x1b[K${line}\n`).join("")}\x1b[J`);
    lines = text.length;
  };
}

const BLOCKS = 24;

/** A bar, what is done, a line a worker, and what failed last. */
export function sweepText(state: SweepState): string[] {
  const share = state.total === 0 ? 1 : (state.done + state.failed) / state.total;
  const filled = Math.round(BLOCKS * share);
  const workers = state.workers.map(workerFields);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...workers.map((fields) => fields[column].length)));
  return [
    `${"█".repeat(filled)}${"░".repeat(BLOCKS - filled)} ${summaryOf(state)}`,
    ...workers.map((fields) => `  ${fields.map((field, column) => field.padEnd(widths[column])).join("  ").trimEnd()}`),
    ...state.failures.map(({ cell, error }) => `  failed: ${cell}: ${error}`.replaceAll("\n", " ")),
  ];
}

/** "120/200 cells · 1 failed · 2.1 a second · 38 s left" */
export function summaryOf(state: SweepState): string {
  const { total, done, failed, before, rate, elapsedSeconds, remainingSeconds, ended } = state;
  return [
    `${done}/${total} cells`,
    ...before > 0 ? [`${before} from the store`] : [],
    ...failed > 0 ? [`${failed} failed`] : [],
    ...rate > 0 ? [rateText(rate)] : [],
    duration(elapsedSeconds),
    ...!ended && remainingSeconds !== undefined ? [`about ${duration(remainingSeconds)} left`] : [],
  ].join(" · ");
}

function workerFields({ name, model = "", done, failed, rate, memory, is }: WorkerState): string[] {
  return [
    name,
    is === "working" ? model : is,
    `${done} cells${failed > 0 ? `, ${failed} failed` : ""}`,
    rate > 0 ? rateText(rate) : "",
    memory === undefined ? "" : `${(memory / 1e9).toFixed(2)} GB`,
  ];
}

/** By the second, minute or hour, so that it is a number one can read. */
function rateText(rate: number): string {
  if (rate >= 1) return `${rate.toPrecision(3)} a second`;
  return rate * 60 >= 1 ? `${(rate * 60).toPrecision(3)} a minute` : `${(rate * 3600).toPrecision(2)} an hour`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** The same as HTML for a cell. */
export function sweepHtml(state: SweepState): string {
  const rows = state.workers.map((worker) =>
    `<tr>${workerFields(worker).map((field) => `<td style="text-align:left">${escapeHtml(field)}</td>`).join("")}</tr>`
  );
  const failures = state.failures.map(({ cell, error }) => `<li>${escapeHtml(`${cell}: ${error}`)}</li>`);
  return `<div><progress value="${state.done + state.failed}" max="${Math.max(1, state.total)}" ` +
    `style="vertical-align:middle" aria-label="cells of the sweep"></progress> ${escapeHtml(summaryOf(state))}</div>` +
    (rows.length > 0 ? `<table>${rows.join("")}</table>` : "") +
    (failures.length > 0 ? `<p>Set aside:</p><ul>${failures.join("")}</ul>` : "");
}
