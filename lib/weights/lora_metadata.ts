/**
 * PEFT's settings in a LoRA's metadata, as diffusers saves them: `lora_adapter_metadata`, a JSON object whose keys begin
 * with the part: `unet.r`, `unet.lora_alpha`, `unet.alpha_pattern`, …
 *
 * Source: diffusers, loaders/lora_base.py; PEFT, tuners/lora/config.py.
 */

import * as v from "valibot";
import { finite, issueClause } from "./config.ts";
import { JsonFault, parseJson } from "./json.ts";
import { shown } from "./said.ts";

const settings = v.looseObject({
  lora_alpha: v.optional(finite),
  alpha_pattern: v.optional(v.record(v.string(), finite), {}),
  use_rslora: v.optional(v.boolean(), false),
  use_dora: v.optional(v.boolean(), false),
});

/** How much of a module's up·down is added at strength 1, where the metadata say. */
export type ScaleOf = (part: string, module: string, rank: number) => number | undefined;

/**
 * Reads the metadata's scales.
 *
 * @returns a function that knows nothing where there are no metadata
 * @throws SyntaxError when they are there and not understood; RangeError for DoRA
 */
export function readLoraMetadata(path: string, metadata: ReadonlyMap<string, string>): ScaleOf {
  const text = metadata.get("lora_adapter_metadata");
  if (text === undefined) return () => undefined;
  const parsed = v.safeParse(v.record(v.string(), v.unknown()), jsonIn(path, text));
  if (!parsed.success) throw notUnderstood(path, "it is no JSON object");
  const parts = new Map<string, Record<string, unknown>>();
  for (const [name, value] of Object.entries(parsed.output)) {
    const dot = name.indexOf(".");
    const part = name.slice(0, dot);
    parts.set(part, { ...parts.get(part), [name.slice(dot + 1)]: value });
  }
  const scales = new Map<string, v.InferOutput<typeof settings>>();
  for (const [part, entries] of parts) {
    const known = v.safeParse(settings, entries);
    if (!known.success) {
      throw notUnderstood(path, `${issueClause(known.issues[0])} (of ${shown(part)})`);
    }
    if (known.output.use_dora) {
      throw new RangeError(`Cannot apply ${path}: its metadata make it DoRA; the kit applies plain LoRA and LoCon.`);
    }
    scales.set(part, known.output);
  }
  return (part, module, rank) => {
    const known = scales.get(part);
    if (known?.lora_alpha === undefined) return undefined;
    const pattern = Object.entries(known.alpha_pattern).find(([name]) =>
      module === name || module.endsWith(`.${name}`)
    );
    const alpha = pattern?.[1] ?? known.lora_alpha;
    // Rank-stabilised LoRA divides by the root (arXiv 2312.03732, equation 4).
    return alpha / (known.use_rslora ? Math.sqrt(rank) : rank);
  };
}

function jsonIn(path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonFault) throw notUnderstood(path, `it is no JSON object: ${error.message}`);
    throw error;
  }
}

function notUnderstood(path: string, what: string): SyntaxError {
  return new SyntaxError(`Cannot use the LoRA ${path}: in its metadata "lora_adapter_metadata", ${what}.`);
}
