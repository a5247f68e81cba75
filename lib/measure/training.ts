/**
 * What a training recorded of itself: losses by step, for one stage each. `python -m pocket.recorded` writes them for the
 * pocket family; a training's own log of JSON lines is read too.
 *
 * ```json
 * { "stage": "lightning-4step", "seconds": 812, "entries": [{ "step": 50, "phase": "mse", "mse": 0.031 }] }
 * ```
 */

import { basename, extname, join } from "node:path";
import * as v from "valibot";
import { kindOf, readText } from "../weights/files.ts";

/** What was written down after a step: its number, and losses and the like by name. */
export interface TrainingEntry {
  /** Optimizer steps so far, from 1. */
  readonly step: number;
  /** Which part of the stage it was in, where a stage has parts: "mse", "warm", "adversarial". */
  readonly phase?: string;
  /** Means since the entry before. */
  readonly values: Readonly<Record<string, number>>;
}

/** A stage of a training. */
export interface TrainingStage {
  /** "base", "lightning-4step", … */
  readonly stage: string;
  /** Wall time. */
  readonly seconds: number;
  /** By step. */
  readonly entries: readonly TrainingEntry[];
}

/** A file of a stage is some kilobytes, a log some hundred; this is a limit on what is no record at all. */
const LARGEST_BYTES = 16e6;

const number = v.pipe(v.number(), v.finite());
const line = v.objectWithRest(
  { step: v.pipe(number, v.integer(), v.minValue(0)) },
  v.union([number, v.string(), v.null()]),
);
const stage = v.object({ stage: v.pipe(v.string(), v.nonEmpty()), seconds: number, entries: v.array(line) });

/**
 * Reads every `.json` and `.jsonl` of a folder, by file name. None where there is no such folder: weights are used
 * without it.
 *
 * @throws SyntaxError, one sentence, for a file that is no record
 */
export async function readTraining(folder: string): Promise<readonly TrainingStage[]> {
  if (await kindOf(folder) !== "folder") return [];
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) if (isFile && /\.jsonl?$/.test(name)) names.push(name);
  const stages: TrainingStage[] = [];
  for (const name of names.sort()) stages.push(await readStage(join(folder, name)));
  return stages;
}

async function readStage(path: string): Promise<TrainingStage> {
  const { size } = await Deno.stat(path);
  if (size > LARGEST_BYTES) {
    throw new SyntaxError(`Cannot read ${path} as a training's record: it has ${size} bytes, 16 MB are allowed.`);
  }
  const text = await readText(path);
  if (extname(path) === ".json") {
    const { entries, ...rest } = parsed(path, stage, text);
    return { ...rest, entries: entries.map(entryOf) };
  }
  const lines = text.split("\n").filter((text) => text.trim() !== "").map((text) => parsed(path, line, text));
  const seconds = lines.reduce((sum, { seconds }) => sum + (typeof seconds === "number" ? seconds : 0), 0);
  return { stage: basename(path, ".jsonl"), seconds, entries: lines.map(entryOf) };
}

/** What a log's line says of the clock: nothing that a loss depends on. */
const CLOCK = ["time", "seconds", "per_second"];

function entryOf({ step, ...rest }: v.InferOutput<typeof line>): TrainingEntry {
  const values: Record<string, number> = {};
  for (const [name, value] of Object.entries(rest)) {
    if (typeof value === "number" && !CLOCK.includes(name)) values[name] = value;
  }
  return { step, ...(typeof rest.phase === "string" && { phase: rest.phase }), values };
}

function parsed<T>(path: string, schema: v.GenericSchema<unknown, T>, text: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SyntaxError(`Cannot read ${path} as a training's record: it is not JSON.`);
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const fault = issue.received === "undefined"
    ? "is missing"
    : `is ${issue.received}, wanted is ${issue.expected ?? "another value"}`;
  throw new SyntaxError(`Cannot read ${path} as a training's record: "${v.getDotPath(issue) ?? ""}" ${fault}.`);
}
