/** A comparison as a JSON file: `compare`'s options, checked. */

import * as v from "valibot";
import { PREDICTIONS, RAMPS, SAMPLER_NAMES, SPACINGS } from "../diffusion/mod.ts";
import { PRECISIONS } from "../model/precision.ts";
import { DEVICES } from "../model/sessions/devices.ts";
import type { CompareOptions } from "../sweep/options.ts";
import { finite, jsonOf } from "../weights/config.ts";
import { plain } from "../weights/said.ts";
import { readText } from "../weights/files.ts";

const text = v.pipe(v.string(), v.nonEmpty());
const number = finite;
const numbers = v.array(number);
const seed = v.union([v.pipe(number, v.safeInteger()), v.pipe(v.string(), v.regex(/^-?\d{1,20}$/))]);
const steps = v.pipe(number, v.integer(), v.minValue(1));

const way = v.strictObject({
  recipe: v.optional(text),
  sampler: v.optional(v.picklist(SAMPLER_NAMES)),
  spacing: v.optional(v.picklist(SPACINGS)),
  ramp: v.optional(v.picklist(RAMPS)),
  prediction: v.optional(v.picklist(PREDICTIONS)),
  steps: v.optional(steps),
  timesteps: v.optional(numbers),
  sigmas: v.optional(numbers),
  guidance: v.optional(number),
  guidanceRescale: v.optional(number),
  guidanceInterval: v.optional(v.strictObject({ from: number, to: number })),
  eta: v.optional(number),
  loraStrengths: v.optional(numbers),
  unguarded: v.optional(v.boolean()),
});
const ways = v.array(v.union([text, way]));

const size = v.strictObject({ width: steps, height: steps });

const model = v.strictObject({
  name: text,
  model: text,
  unet: v.optional(text),
  vae: v.optional(text),
  tokenizer: v.optional(text),
  loras: v.optional(v.array(v.union([text, v.strictObject({ path: text, strength: v.optional(number) })]))),
  loraMode: v.optional(v.picklist(["branch", "fuse"])),
  device: v.optional(v.picklist(DEVICES)),
  precision: v.optional(v.picklist(PRECISIONS)),
  memory: v.optional(v.picklist(["fast", "lean"])),
  threads: v.optional(v.pipe(number, v.integer(), v.minValue(1))),
  recipe: v.optional(text),
  recipes: v.optional(ways),
  size: v.optional(size),
});

const prompt = v.strictObject({
  prompt: v.string(),
  name: v.optional(text),
  negative: v.optional(v.string()),
  seed: v.optional(seed),
  seeds: v.optional(v.array(seed)),
});
const prompts = v.array(v.union([v.string(), prompt]));

const comparison = v.strictObject({
  models: v.array(model),
  recipes: v.optional(ways),
  steps: v.optional(v.array(steps)),
  prompts,
  seeds: v.optional(v.array(seed)),
  size: v.optional(size),
  measure: v.optional(v.strictObject({
    warmUp: v.optional(v.picklist(["none", "step"])),
    records: v.optional(v.picklist(["none", "all"])),
  })),
  quality: v.optional(v.strictObject({
    clip: v.optional(text),
    reference: v.optional(
      v.union([text, v.strictObject({ model: text, recipe: v.optional(text), steps: v.optional(steps) })]),
    ),
    captions: v.optional(v.array(text)),
    pictures: v.optional(text),
  })),
});

/** Reads a comparison. Paths in it are relative to the working folder, as on the command line. @throws SyntaxError */
export async function readComparison(path: string): Promise<CompareOptions> {
  return parseAs(path, await readText(path), comparison);
}

/** Prompts of a file: a JSON list of texts or of objects with `prompt`, `name`, `seed`; else a text a line. */
export async function readPrompts(path: string): Promise<CompareOptions["prompts"]> {
  const content = await readText(path);
  const found = path.endsWith(".json")
    ? parseAs(path, content, prompts)
    : content.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  if (found.length === 0) throw new RangeError(`Cannot compare on ${path}: it holds no prompt.`);
  return found;
}

function parseAs<T>(path: string, content: string, schema: v.GenericSchema<unknown, T>): T {
  const result = v.safeParse(schema, jsonOf(path, content));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const inner = nearest(issue);
  const key = [issue, inner].map((issue) => issue && v.getDotPath(issue)).filter(Boolean).join(".");
  const { expected, received } = inner ?? issue;
  const wrong = expected === "never"
    ? "is no key that a comparison has"
    : received === "undefined"
    ? "is missing"
    : `is ${plain(received)}, wanted is ${plain(expected ?? "another value", 400)}`;
  throw new SyntaxError(`Cannot use ${path}: ${key === "" ? "it" : `"${plain(key)}"`} ${wrong}.`);
}

/** Of a choice of forms, what is wrong inside the form that came nearest says more than that none fits. */
function nearest({ issues }: v.BaseIssue<unknown>): v.BaseIssue<unknown> | undefined {
  return issues?.find(({ path }) => path !== undefined);
}
