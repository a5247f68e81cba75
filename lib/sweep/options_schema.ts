/** Models and ways of a comparison, as they come out of files and messages. */

import * as v from "valibot";
import { PREDICTIONS, RAMPS, SAMPLER_NAMES, SPACINGS } from "../diffusion/mod.ts";
import { PRECISIONS } from "../model/precision.ts";
import { DEVICES } from "../model/sessions/devices.ts";
import { finite } from "../weights/config.ts";

const text = v.pipe(v.string(), v.nonEmpty());
const number = finite;
const numbers = v.array(number);
const steps = v.pipe(number, v.integer(), v.minValue(1));

export const sizeSchema = v.strictObject({ width: steps, height: steps });

export const waySchema = v.strictObject({
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
export const waysSchema = v.array(v.union([text, waySchema]));

export const modelSchema = v.strictObject({
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
  recipes: v.optional(waysSchema),
  size: v.optional(sizeSchema),
});
