/** How far a run is: a live bar in a cell, a line in a terminal, silence where stderr goes elsewhere. */

import type { Step } from "../model/step.ts";
import { display, inNotebook } from "./notebook.ts";
import { escapeHtml } from "./table.ts";

/** A bar that is moved, and ended. */
export interface Progress {
  /** One unit more is done. Awaited, so that a cell draws it. */
  advance(): Promise<void>;
  /** So many units are done, under another label, with an estimate of the rest that knows more than the mean so far. */
  update(state: Partial<Pick<ProgressState, "label" | "done" | "remaining">>): Promise<void>;
  /** Ends the bar; what it showed stays in a notebook and is wiped from a terminal. */
  end(): Promise<void>;
}

/** What a bar says at its begin. */
export interface ProgressOptions {
  /** What is being done: "lightning-4step". */
  readonly label: string;
  /** Units in all, at least 1. */
  readonly total: number;
  /** Units that were done before. Default 0. */
  readonly done?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  /** Where the bar is drawn. Default: the cell in a notebook, stderr where that is a terminal, else nowhere. */
  readonly draw?: (state: ProgressState) => void | Promise<void>;
}

/** What a bar draws. */
export interface ProgressState {
  /** What is done. */
  readonly label: string;
  /** Units so far. */
  readonly done: number;
  /** Units in all. */
  readonly total: number;
  /** Milliseconds. */
  readonly elapsed: number;
  /** Whether nothing more comes. */
  readonly ended: boolean;
  /** Milliseconds that are left, where something better is known than the mean of the units so far. */
  readonly remaining?: { readonly milliseconds: number; readonly sure: boolean };
}

/** Milliseconds between two drawings: faster is not seen, and in a cell each one costs some. */
const redrawEvery = 100;

/** A bar in a cell, on a terminal's stderr, or nowhere: move it by `advance` or `update`, and end it. */
export async function progress(options: ProgressOptions): Promise<Progress> {
  const { label, total, done = 0, now = () => performance.now(), draw = defaultDraw() } = options;
  const began = now();
  let drawn = -Infinity;
  let state: Pick<ProgressState, "label" | "done" | "remaining"> = { label, done };
  const redraw = async (ended: boolean) => {
    if (!ended && state.done < total && now() - drawn < redrawEvery) return;
    drawn = now();
    await draw({ ...state, total, elapsed: now() - began, ended });
  };
  await redraw(false);
  return {
    advance() {
      state = { ...state, done: Math.min(total, state.done + 1) };
      return redraw(false);
    },
    update(changes) {
      state = { ...state, ...changes };
      return redraw(false);
    },
    end: () => redraw(true),
  };
}

/** The same steps, with a bar that says how far the run is: `for await (const step of withProgress(model.steps(…)))`. */
export async function* withProgress(
  steps: AsyncIterable<Step>,
  options: Partial<ProgressOptions> = {},
): AsyncGenerator<Step, void, void> {
  let bar: Progress | undefined;
  try {
    for await (const step of steps) {
      bar ??= await progress({ label: step.trajectory.recipe, total: step.count, ...options });
      await bar.advance();
      yield step;
    }
  } finally {
    await bar?.end();
  }
}

/** "2/4 · 0.6 s · 0.6 s left · 0.30 s each" */
export function inNumbers({ done, total, elapsed, ended, remaining }: ProgressState): string {
  const seconds = (milliseconds: number) => {
    if (milliseconds >= 60_000) {
      const whole = Math.round(milliseconds / 1000);
      return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    }
    return `${(milliseconds / 1000).toFixed(milliseconds < 1000 ? 2 : 1)} s`;
  };
  const parts = [`${done}/${total}`, seconds(elapsed)];
  if (remaining) {
    if (!ended) parts.push(`${remaining.sure ? "" : "about "}${seconds(remaining.milliseconds)} left`);
  } else if (done > 0) {
    const each = elapsed / done;
    if (!ended && done < total) parts.push(`${seconds(each * (total - done))} left`);
    parts.push(`${seconds(each)} each`);
  }
  return parts.join(" · ");
}

function defaultDraw(): (state: ProgressState) => void | Promise<void> {
  if (inNotebook) return cellBar();
  return Deno.stderr.isTerminal() ? terminalBar() : () => {};
}

function cellBar(): (state: ProgressState) => Promise<void> {
  const id = crypto.randomUUID();
  let update = false;
  return async (state) => {
    const text = `${state.label} ${inNumbers(state)}`;
    const html = `<progress value="${state.done}" max="${state.total}" style="vertical-align:middle"></progress> ` +
      `<span>${escapeHtml(text)}</span>`;
    await display({ "text/html": html, "text/plain": text }, { id, update, more: !state.ended });
    update = true;
  };
}

const blocks = 20;

function terminalBar(): (state: ProgressState) => void {
  return (state) => {
    const filled = Math.round(blocks * state.done / state.total);
    const bar = "█".repeat(filled) + "░".repeat(blocks - filled);
    const text = state.ended ? "\r\x1b[K" : `\r\x1b[K${state.label} ${bar} ${inNumbers(state)}`;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  };
}
