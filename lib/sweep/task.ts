/** A cell as a piece of work that another process or machine can do: plain data, without what only the plan needs. */

import * as v from "valibot";
import type { Request } from "../model/request.ts";
import type { ComparedModel, MeasureOptions, Way } from "./options.ts";
import { modelSchema, waySchema } from "./options_schema.ts";
import { openOptions, type Plan, type PlannedCell } from "./plan.ts";

export interface Task {
  /** The cell's key: sha256 of its content. */
  readonly key: string;
  /** The model's name, for messages. */
  readonly name: string;
  readonly way: Way & { readonly recipe: string };
  readonly prompt: string;
  readonly negative: string | null;
  /** Decimal text. */
  readonly seed: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const pixels = v.pipe(v.number(), v.integer(), v.minValue(1));

/** A way whose recipe is known. */
export const taskWaySchema = v.strictObject({ ...waySchema.entries, recipe: v.string() });

export const taskSchema = v.object({
  key: digest,
  name: v.string(),
  way: taskWaySchema,
  prompt: v.string(),
  negative: v.nullable(v.string()),
  seed: v.pipe(v.string(), v.regex(/^-?\d{1,20}$/)),
  width: pixels,
  height: pixels,
});

export const settingsSchema = v.object({
  warmUp: v.picklist(["none", "step"]),
  records: v.picklist(["none", "all"]),
});

/** A model and how its cells are measured: what a worker loads once and uses for many tasks. */
export interface Group {
  readonly model: ComparedModel;
  readonly measure: Required<MeasureOptions>;
}

export const groupSchema = v.object({ model: modelSchema, measure: settingsSchema });

export function taskOf({ key, way, labels, content }: PlannedCell): Task {
  const { model: name, prompt, negative, seed } = labels;
  const { width, height } = content;
  return { key, name, way, prompt, negative, seed, width, height };
}

/** What a task asks of its model. */
export function requestOf({ way, prompt, negative, seed, width, height }: Task): Request & { readonly seed: bigint } {
  return { ...way, prompt, negative: negative ?? undefined, seed: BigInt(seed), size: { width, height } };
}

/** Names everything that `open` is given: entries that differ only in name or recipe are one. */
export function groupNameOf(model: ComparedModel): string {
  return JSON.stringify([model.model, openOptions(model)]);
}

/** Cells that one opened model serves, in the plan's order. */
export function byModel(plan: Plan, cells: readonly PlannedCell[]): readonly (readonly PlannedCell[])[] {
  const names = plan.models.map(({ options }) => groupNameOf(options));
  return [...Map.groupBy(cells, ({ modelIndex }) => names[modelIndex]).values()];
}
