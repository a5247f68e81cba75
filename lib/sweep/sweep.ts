/** One plan, run here, by processes of this machine, or by a fleet on a queue. */

import { stopSignal } from "../model/stop.ts";
import type { Result } from "./cell.ts";
import { DEFAULT_STORE } from "./compare.ts";
import { conclude } from "./conclude.ts";
import { filesOf } from "./files.ts";
import { type Lane, LocalLane } from "./lane.ts";
import { type Outcome, runLanes } from "./lanes.ts";
import { nameOfTask } from "./maker.ts";
import { Monitor, type SweepState } from "./monitor.ts";
import type { CompareOptions } from "./options.ts";
import { openPlace } from "./place.ts";
import { type Plan, planComparison, type PlannedCell } from "./plan.ts";
import type { QueueOptions } from "./queue/coordinator.ts";
import type { FailedCell, Runs } from "./runs.ts";
import { Store } from "./store.ts";
import { taskOf } from "./task.ts";
import { workersOf, type WorkersOptions } from "./workers.ts";

/** Where the cells of a plan run, and where their results go. */
export interface SweepOptions {
  /**
   * Where cells run. "here" (default): in this process, one after the other. "workers": in several processes of this
   * machine. "queue": on every machine that runs `deno task worker` with the same Redis.
   */
  readonly run?: "here" | "workers" | "queue";
  /** The store's folder, on this machine's own disk. Default "runs". What it holds is not run again. */
  readonly store?: string;
  /**
   * Where files go that several machines reach: a folder, or "s3://BUCKET/PREFIX". Default: the store's folder. Workers
   * of a queue are told the same place.
   */
  readonly files?: string;
  /** Where rows go that several coordinators share: "postgres://USER:PASSWORD@HOST/DATABASE". Default: the store's SQLite. */
  readonly rows?: string;
  /** For "workers": how many processes, of how many threads, with how much memory. */
  readonly workers?: WorkersOptions;
  /** For "queue": which Redis, under which name. */
  readonly queue?: QueueOptions;
  /**
   * Ends the sweep; finished cells stay stored. Cells that wait in a queue stay there, too, and its workers go on.
   * Default: a notebook's Stop button.
   */
  readonly signal?: AbortSignal;
  /** Told what a user should know, a sentence each. Default `console.warn`. */
  readonly warn?: (message: string) => void;
  /** Told how it goes: with every batch of cells, and every second. Default: drawn in a cell or a terminal. */
  readonly onProgress?: (state: SweepState) => void | Promise<void>;
  /** Told of each thing that happens, for logs. Default: nobody. */
  readonly onEvent?: (event: SweepEvent) => void;
}

/** What happened, for logs. */
export type SweepEvent =
  | { readonly event: "begun"; readonly cells: number; readonly stored: number }
  | { readonly event: "finished"; readonly key: string; readonly by: string; readonly seconds: number }
  | { readonly event: "failed"; readonly key: string; readonly by: string; readonly error: string }
  | { readonly event: "warning"; readonly message: string }
  | { readonly event: "ended"; readonly done: number; readonly failed: number; readonly seconds: number };

/** Milliseconds between two looks at how it goes. */
const TELL_MS = 1000;

/**
 * Runs a plan's cells wherever there is room, and gives what `compare` gives. Cells, keys and store are `compare`'s: what
 * one has run, the other need not. A cell that fails is tried three times and then set aside with its error
 * (`runs.failed`); the others go on.
 *
 * ```ts
 * import { sweep } from "fewstep";
 *
 * const models = [{ name: "base", model: "models/pocket/base" }];
 * const plan = { models, steps: [8], prompts: ["sunflower"], seeds: [1, 2, 3, 4] };
 * const runs = await sweep(plan, { run: "workers" });
 * console.log((await runs.frame()).toString());
 * ```
 *
 * @throws an error whose message is one sentence: what cannot be planned or stored; that no cell could be run
 */
export async function sweep(plan: CompareOptions, options: SweepOptions = {}): Promise<Runs> {
  const { warn = console.warn } = options;
  await using store = await openStore(options);
  const planned = await planComparison(plan, { digest: (path) => store.digest(path), warn });
  for (const sentence of planned.omitted) warn(sentence);
  return await sweepPlan(planned, store, options);
}

/** A store as a sweep's options name it. */
export async function openStore({ store = DEFAULT_STORE, files, rows }: SweepOptions): Promise<Store> {
  return await Store.open(store, {
    files: files === undefined ? undefined : await openPlace(files, store),
    rows: rows === undefined ? undefined : await (await import("./postgres.ts")).PostgresRows.open(rows),
  });
}

/** Runs what the store lacks of a plan. */
export async function sweepPlan(plan: Plan, store: Store, options: SweepOptions = {}): Promise<Runs> {
  const { signal = stopSignal(), warn = console.warn } = options;
  const keys = [...new Set(plan.cells.map(({ key }) => key))];
  const { records } = plan.measure;
  const before = await store.finished(keys, { records });
  const missing = [...new Map(plan.cells.map((cell) => [cell.key, cell])).values()]
    .filter(({ key }) => !before.has(key));
  const failed = missing.length === 0
    ? []
    : await runMissing(plan, missing, store, { ...options, signal }, before.size);
  for (const { name, error } of failed) warn(`Set aside: ${name}. ${error}`);
  signal?.throwIfAborted();
  const results = missing.length === 0 ? before : await store.finished(keys, { records });
  if (failed.length === keys.length) {
    throw new Error(`Cannot finish the sweep: none of its ${keys.length} cells could be run. ${failed[0].error}`);
  }
  await store.files.fetch([...results.values()].flatMap(filesOfResult));
  return await conclude(plan, results, { store, signal, failed });
}

/** Returns what was set aside. */
async function runMissing(
  plan: Plan,
  missing: readonly PlannedCell[],
  store: Store,
  options: SweepOptions,
  before: number,
): Promise<readonly FailedCell[]> {
  const { onEvent, onProgress = await defaultWatch() } = options;
  const monitor = new Monitor({ total: missing.length + before, before });
  const failed = new Map<string, FailedCell>();
  const began = performance.now();
  onEvent?.({ event: "begun", cells: missing.length + before, stored: before });
  let told = Promise.resolve();
  const tell = () => (told = told.then(() => onProgress(monitor.state())));
  const timer = setInterval(tell, TELL_MS);
  try {
    for await (const outcomes of outcomesOf(plan, missing, store, options, monitor)) {
      const finished = outcomes.flatMap((outcome) => "receipt" in outcome ? [outcome] : []);
      await store.record(finished.map(({ cell, receipt }) => ({ key: cell.key, content: cell.content, receipt })));
      for (const { cell: { key }, by, receipt } of finished) {
        monitor.finished(by);
        if (failed.delete(key)) monitor.mended();
        onEvent?.({ event: "finished", key, by, seconds: receipt.secondsTotal });
      }
      for (const outcome of outcomes) {
        if ("receipt" in outcome) continue;
        const { cell, by, error, tries } = outcome;
        const name = nameOfTask(taskOf(cell));
        failed.set(cell.key, { key: cell.key, name, error, tries });
        monitor.failed(by, name, error);
        onEvent?.({ event: "failed", key: cell.key, by, error });
      }
      tell();
    }
  } finally {
    clearInterval(timer);
    monitor.end();
    await tell();
    const { done, failed } = monitor.state();
    onEvent?.({ event: "ended", done, failed, seconds: (performance.now() - began) / 1000 });
  }
  return [...failed.values()];
}

/** Outcomes of the missing cells; each batch is stored before the next is asked for. */
async function* outcomesOf(
  plan: Plan,
  missing: readonly PlannedCell[],
  store: Store,
  options: SweepOptions,
  monitor: Monitor,
): AsyncGenerator<readonly Outcome[], void, void> {
  const { run = "here", signal, files, onEvent, warn = console.warn } = options;
  const log = (message: string) => onEvent?.({ event: "warning", message });
  if (run === "queue") {
    if (options.queue === undefined) {
      throw new RangeError('Cannot sweep on a queue: which Redis is missing (queue: { redis: "redis://HOST:6379" }).');
    }
    const { runQueue } = await import("./queue/coordinator.ts");
    yield* runQueue(plan, missing, { ...options.queue, store, signal, monitor, log });
    return;
  }
  const lanes: readonly Lane[] = run === "here"
    ? [new LocalLane({ files: store.files, warn })]
    : await workersOf(plan, missing, { ...options.workers, place: files ?? store.folder, store, signal, log });
  try {
    const onBegin = (lane: Lane, cell: PlannedCell) =>
      monitor.see({ name: lane.name, is: "working", model: cell.labels.model, memory: lane.memory });
    yield* runLanes(plan, missing, { lanes, signal, onBegin });
  } finally {
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
  }
}

function filesOfResult({ picture, latent, record }: Result): string[] {
  const digest = (path: string) => path.match(/([0-9a-f]{64})\.\w+$/)?.[1] ?? "";
  return filesOf({ picture: digest(picture), latent: digest(latent), record: record && digest(record) });
}

async function defaultWatch(): Promise<(state: SweepState) => void | Promise<void>> {
  const { watch } = await import("../view/watch.ts");
  return watch();
}
