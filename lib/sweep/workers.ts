/** How many processes of how many threads a sweep runs on this machine. */

import { cpus } from "node:os";
import { ChildLane } from "./child_lane.ts";
import type { Lane } from "./lane.ts";
import type { Plan, PlannedCell } from "./plan.ts";
import { measuredShape, type Shape } from "./shape.ts";
import type { Store } from "./store.ts";

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

function wantWhole(what: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new RangeError(`Cannot sweep with ${count} ${what}: a whole number from 1 was wanted.`);
}
