/** How many processes of how many threads a machine's sweep should run: measured, and remembered. */

import { cpus, freemem } from "node:os";
import * as v from "valibot";
import { describeMachine } from "../measure/machine.ts";
import { ChildLane } from "./child_lane.ts";
import { digestOf } from "./content.ts";
import type { Pace } from "./pace.ts";
import type { Plan, PlannedCell } from "./plan.ts";
import type { Store } from "./store.ts";
import { byModel, type Group, taskOf } from "./task.ts";

/** Processes and the threads of each. */
export interface Shape {
  readonly processes: number;
  readonly threads: number;
}

export interface ShapeContext {
  /** Where files go, as `openPlace` takes it; measuring stores none. */
  readonly place: string;
  readonly store: Store;
  /** Default: this machine's. */
  readonly cores?: number;
  /** Seconds that a shape is measured for, beside loading the model. Default 2: some steps of SDXL on a few cores. */
  readonly seconds?: number;
  /** What the processes run, in place of `child.ts`: for tests. */
  readonly module?: URL;
  readonly signal?: AbortSignal;
  readonly log?: (message: string) => void;
}

/** The share of free memory that processes may take together. */
const SHARE = 0.8;

/** Of measuring: what was measured under another number is measured anew. */
const VERSION = 2;

const shapeSchema = v.object({ processes: v.number(), threads: v.number() });

/**
 * Measures steps a second of the plan's heaviest model, as many processes of as few threads and the other way round, and
 * takes the fastest that memory allows. The store remembers it for this machine, model and size.
 */
export async function measuredShape(
  plan: Plan,
  missing: readonly PlannedCell[],
  context: ShapeContext,
): Promise<Shape> {
  const { store, signal, log, cores = cpus().length } = context;
  // The heaviest cell of the most frequent model decides: one shape serves all.
  const [most] = byModel(plan, missing).toSorted((a, b) => b.length - a.length);
  const cell = most.toSorted((a, b) => pixels(b) - pixels(a))[0];
  const { content } = cell;
  const key = `shape ${VERSION} ${
    digestOf(
      JSON.stringify([describeMachine(), cores, content.weights, content.runtime, content.precision, pixels(cell)]),
    )
  }`;
  const known = store.fact(key, shapeSchema);
  if (known !== undefined) return known;
  const group: Group = { model: plan.models[cell.modelIndex].options, measure: plan.measure };
  const shape = await fastestShape({
    cores,
    free: freemem(),
    measure: (shape) => pacesOf(shape, group, cell, context),
    signal,
    log,
  });
  store.setFact(key, shape);
  return shape;
}

export interface FastestOptions {
  readonly cores: number;
  /** Bytes that are free before anything runs. */
  readonly free: number;
  /** The pace of each process, all at once. */
  readonly measure: (shape: Shape) => Promise<readonly Pace[]>;
  readonly signal?: AbortSignal;
  readonly log?: (message: string) => void;
}

/** The shape with the most steps a second, from one process on; more are not tried than memory holds. */
export async function fastestShape({ cores, free, measure, signal, log }: FastestOptions): Promise<Shape> {
  let best: Shape & { readonly pace: number } = { processes: 1, threads: cores, pace: 0 };
  let memory = 0; // of one process, from the first measurement on
  for (const processes of divisorsOf(cores)) {
    signal?.throwIfAborted();
    if (processes > 1 && processes * memory > SHARE * free) break;
    const threads = cores / processes;
    const paces = await measure({ processes, threads });
    memory = Math.max(memory, ...paces.map(({ memory }) => memory));
    const pace = paces.reduce((sum, { stepsPerSecond }) => sum + stepsPerSecond, 0);
    log?.(`${processes} × ${threads} threads: ${pace.toPrecision(3)} steps a second.`);
    if (pace > best.pace) best = { processes, threads, pace };
  }
  return { processes: best.processes, threads: best.threads };
}

async function pacesOf(
  { processes, threads }: Shape,
  group: Group,
  cell: PlannedCell,
  { place, seconds = 2, module, log }: ShapeContext,
): Promise<readonly Pace[]> {
  const lanes = Array.from(
    { length: processes },
    (_, index) => new ChildLane({ name: `measurement ${index + 1}`, place, threads, module, log }),
  );
  try {
    const all = (seconds: number) => Promise.all(lanes.map((lane) => lane.pace(group, taskOf(cell), seconds)));
    await all(0); // loads every model first: who is alone at the start would be too fast
    return await all(seconds);
  } finally {
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
  }
}

function pixels({ content: { width, height } }: PlannedCell): number {
  return width * height;
}

/** Numbers of processes that share the cores evenly: 1, 2, 4, 8 of 8. */
function divisorsOf(cores: number): readonly number[] {
  return Array.from({ length: cores }, (_, index) => index + 1).filter((count) => cores % count === 0);
}
