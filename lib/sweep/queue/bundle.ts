/** What goes through the queue: some cells of one model at a time, so that the queue costs little for each. */

import * as v from "valibot";
import { digestOf } from "../content.ts";
import type { Plan, PlannedCell } from "../plan.ts";
import { receiptSchema } from "../schema.ts";
import {
  byModel,
  type Group,
  groupNameOf,
  groupSchema,
  type Task,
  taskOf,
  taskSchema,
  taskWaySchema,
} from "../task.ts";
import { PRIORITIES } from "./connection.ts";

/** Cells of one job: enough that its own cost is spread thin, few enough that a worker that dies holds up few. */
const MOST = 16;

/** Jobs that a group's cells make at least, so that many workers share few cells. */
const PARTS = 256;

/** A job. Ways are told once, as cells share them. */
export const bundleSchema = v.object({
  sweep: v.string(),
  group: groupSchema,
  ways: v.array(taskWaySchema),
  cells: v.array(v.object({ ...v.omit(taskSchema, ["way"]).entries, way: v.number() })),
});

export interface Bundle {
  readonly sweep: string;
  readonly group: Group;
  readonly ways: readonly Task["way"][];
  readonly cells: readonly (Omit<Task, "way"> & { readonly way: number })[];
}

/** A bundle with the names that it goes by. */
export interface Addressed {
  readonly groupId: string;
  /** The same for the same cells of the same sweep, so that adding it twice adds it once. */
  readonly jobId: string;
  readonly bundle: Bundle;
}

/** What a worker tells of a cell. */
export const reportSchema = v.variant("is", [
  v.object({ is: v.literal("finished"), key: v.string(), by: v.string(), receipt: receiptSchema }),
  v.object({ is: v.literal("aside"), key: v.string(), by: v.string(), error: v.string(), tries: v.number() }),
]);
export type Report = v.InferOutput<typeof reportSchema>;

/** What a worker tells of itself. `beat` counts: clocks of machines differ. */
export const heartbeatSchema = v.object({
  beat: v.number(),
  is: v.picklist(["working", "idle"]),
  model: v.optional(v.string()),
  memory: v.optional(v.number()),
});

export const groupEntrySchema = v.object({ model: v.string(), priority: v.picklist(PRIORITIES) });

/** Names a model and how it is measured. */
export function groupIdOf({ model, measure }: Group): string {
  return digestOf(`${groupNameOf(model)} ${JSON.stringify(measure)}`).slice(0, 16);
}

/** Names a sweep: by its cells, so that a coordinator that begins again finds what is its own. */
export function sweepIdOf(plan: Plan): string {
  return digestOf(plan.cells.map(({ key }) => key).join(" ")).slice(0, 16);
}

/**
 * The missing cells in bundles. Where a bundle begins and ends follows from the whole plan, whatever is missing of it.
 * Made one at a time: a plan of millions fits, its bundles together would not.
 */
export function* bundlesOf(plan: Plan, missing: (key: string) => boolean): Generator<Addressed, void, void> {
  const sweep = sweepIdOf(plan);
  const unique = [...new Map(plan.cells.map((cell) => [cell.key, cell])).values()];
  for (const cells of byModel(plan, unique)) {
    const group: Group = { model: plan.models[cells[0].modelIndex].options, measure: plan.measure };
    const groupId = groupIdOf(group);
    const size = Math.min(MOST, Math.ceil(cells.length / PARTS));
    for (let from = 0; from < cells.length; from += size) {
      const all = cells.slice(from, from + size);
      const wanted = all.filter(({ key }) => missing(key));
      if (wanted.length === 0) continue;
      const jobId = `${sweep}-${digestOf(all.map(({ key }) => key).join(" ")).slice(0, 24)}`;
      yield { groupId, jobId, bundle: { sweep, group, ...packed(wanted) } };
    }
  }
}

function packed(cells: readonly PlannedCell[]): Pick<Bundle, "ways" | "cells"> {
  const ways: Task["way"][] = [];
  const packed = cells.map((cell) => {
    const { way, ...rest } = taskOf(cell);
    const known = ways.indexOf(way);
    return { ...rest, way: known >= 0 ? known : ways.push(way) - 1 };
  });
  return { ways, cells: packed };
}

/** @throws SyntaxError for a job that no version of this kit wrote */
export function tasksOf(data: unknown): { readonly sweep: string; readonly group: Group; readonly tasks: Task[] } {
  const parsed = v.safeParse(bundleSchema, data);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new SyntaxError(`Cannot read a job of the queue: "${v.getDotPath(issue)}": ${issue.message}.`);
  }
  const { sweep, group, ways, cells } = parsed.output;
  const tasks = cells.map(({ way: index, ...rest }): Task => {
    const way = ways[index];
    if (way === undefined) throw new SyntaxError(`Cannot read a job of the queue: it has no way ${index}.`);
    return { ...rest, way };
  });
  return { sweep, group, tasks };
}
