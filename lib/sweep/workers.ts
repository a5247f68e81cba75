/** How many processes of how many threads a sweep runs on this machine. */

import { cpus, freemem } from "node:os";
import * as v from "valibot";
import { describeMachine } from "../measure/machine.ts";
import { ChildLane } from "./child_lane.ts";
import { digestOf } from "./content.ts";
import type { Lane } from "./lane.ts";
import type { Plan, PlannedCell } from "./plan.ts";
import type { Store } from "./store.ts";
import { byModel, type Group, taskOf } from "./task.ts";

/** How many processes share the machine, and with how much of it each. */
export interface WorkersOptions {
  /** Default: measured on this machine, once for each set of models. */
  readonly processes?: number;
  /** Of the runtime, in each process. Default: with `processes`, the cores shared among them; else measured. */
  readonly threads?: number;
  /** Bytes that one process may have resident; one that has more is ended, and its cell has failed. Linux only. */
  readonly memoryLimit?: number;
  /** What the processes run, in place of `child.ts`: for tests. */
  readonly module?: URL;
}

export interface WorkersContext extends WorkersOptions {
  readonly place: string;
  readonly store: Store;
  readonly signal?: AbortSignal;
  readonly log?: (message: string) => void;
}

/** Processes and the threads of each. */
export interface Shape {
  readonly processes: number;
  readonly threads: number;
}

/** The lanes of a sweep on this machine; none has begun a process yet. */
export async function workersOf(
  plan: Plan,
  missing: readonly PlannedCell[],
  context: WorkersContext,
): Promise<readonly Lane[]> {
  const { place, memoryLimit, module, log } = context;
  const { processes, threads } = await shapeOf(plan, missing, context);
  wantWhole("processes", processes);
  wantWhole("threads", threads);
  const count = Math.min(processes, missing.length);
  return Array.from(
    { length: count },
    (_, index) => new ChildLane({ name: `worker ${index + 1}`, place, threads, memoryLimit, module, log }),
  );
}

async function shapeOf(plan: Plan, missing: readonly PlannedCell[], context: WorkersContext): Promise<Shape> {
  const { processes, threads } = context;
  const cores = cpus().length;
  if (processes !== undefined) return { processes, threads: threads ?? Math.max(1, Math.floor(cores / processes)) };
  if (threads !== undefined) return { processes: Math.max(1, Math.floor(cores / threads)), threads };
  return await measuredShape(plan, missing, context);
}

/** Seconds that a shape is measured for, beside loading the model. */
const MEASURED_SECONDS = 2;

/** The share of free memory that processes may take together. */
const SHARE = 0.8;

/** Of measuring: what was measured under another number is measured anew. */
const VERSION = 1;

const shapeSchema = v.object({ processes: v.number(), threads: v.number() });

/**
 * Measures steps a second of the plan's heaviest model, as many processes of as few threads and the other way round, and
 * takes the fastest that memory allows. The store remembers it for this machine, model and size.
 */
export async function measuredShape(
  plan: Plan,
  missing: readonly PlannedCell[],
  { place, store, module, signal, log }: WorkersContext,
): Promise<Shape> {
  // The heaviest cell of the most frequent model decides: one shape serves all.
  const [most] = byModel(plan, missing).toSorted((a, b) => b.length - a.length);
  const cell = most.toSorted((a, b) => pixels(b) - pixels(a))[0];
  const { content } = cell;
  const group: Group = { model: plan.models[cell.modelIndex].options, measure: plan.measure };
  const machine = describeMachine();
  const key = `shape ${VERSION} ${
    digestOf(JSON.stringify([machine, content.weights, content.runtime, content.precision, pixels(cell)]))
  }`;
  const known = store.fact(key, shapeSchema);
  if (known !== undefined) return known;

  const cores = cpus().length;
  const free = freemem();
  let best: Shape & { readonly pace: number } | undefined;
  let memory = 0; // of one process, from the first measurement on
  for (const processes of divisorsOf(cores)) {
    signal?.throwIfAborted();
    if (processes > 1 && processes * memory > SHARE * free) break;
    const threads = cores / processes;
    const lanes = Array.from(
      { length: processes },
      (_, index) => new ChildLane({ name: `measurement ${index + 1}`, place, threads, module, log }),
    );
    try {
      const paces = await Promise.all(lanes.map((lane) => lane.pace(group, taskOf(cell), MEASURED_SECONDS)));
      memory = Math.max(memory, ...paces.map(({ memory }) => memory));
      const pace = paces.reduce((sum, { stepsPerSecond }) => sum + stepsPerSecond, 0);
      log?.(`${processes} × ${threads} threads: ${pace.toPrecision(3)} steps a second.`);
      if (best === undefined || pace > best.pace) best = { processes, threads, pace };
    } finally {
      await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
    }
  }
  const { processes, threads } = best ?? { processes: 1, threads: cores };
  store.setFact(key, { processes, threads });
  return { processes, threads };
}

function pixels({ content: { width, height } }: PlannedCell): number {
  return width * height;
}

/** Numbers of processes that share the cores evenly: 1, 2, 4, 8 of 8. */
function divisorsOf(cores: number): readonly number[] {
  return Array.from({ length: cores }, (_, index) => index + 1).filter((count) => cores % count === 0);
}

function wantWhole(what: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new RangeError(`Cannot sweep with ${count} ${what}: a whole number from 1 was wanted.`);
}
