/** A comparison as a JSON file: `compare`'s options, checked. */

import * as v from "valibot";
import type { CompareOptions } from "../sweep/options.ts";
import { modelSchema, sizeSchema, waysSchema } from "../sweep/options_schema.ts";
import { finite, jsonOf } from "../weights/config.ts";
import { readText } from "../weights/files.ts";
import { plain } from "../weights/said.ts";

const text = v.pipe(v.string(), v.nonEmpty());
const seed = v.union([v.pipe(finite, v.safeInteger()), v.pipe(v.string(), v.regex(/^-?\d{1,20}$/))]);
const steps = v.pipe(finite, v.integer(), v.minValue(1));

const prompt = v.strictObject({
  prompt: v.string(),
  name: v.optional(text),
  negative: v.optional(v.string()),
  seed: v.optional(seed),
  seeds: v.optional(v.array(seed)),
});
const prompts = v.array(v.union([v.string(), prompt]));

const comparison = v.strictObject({
  models: v.array(modelSchema),
  recipes: v.optional(waysSchema),
  steps: v.optional(v.array(steps)),
  prompts,
  seeds: v.optional(v.array(seed)),
  size: v.optional(sizeSchema),
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
