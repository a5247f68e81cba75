/**
 * Where the network looked for each word of the prompt, as numbers: cross-attention, averaged over heads and layers.
 *
 * After Tang et al. 2022 ("DAAM", arXiv 2210.04885): maps of all layers are brought to the latent's size and averaged.
 * Deviation: probabilities are averaged, not added up, so a value stays a share of the attention.
 */

import type { Observed } from "../model/observed.ts";
import type { Step } from "../model/step.ts";
import { type Plane, resize } from "./heat.ts";

/** Which layers, heads and words are looked at. */
export interface WordMapOptions {
  /** Layers to average; default every cross-attention that was observed. */
  readonly layers?: readonly string[];
  /** Which picture of the batch. Default 0. */
  readonly picture?: number;
  /** Whose attention: to the prompt, or in the unconditional half of a guided step. Default "prompt". */
  readonly half?: "prompt" | "unconditional";
}

/** What a step was told to look at. @throws RangeError where it was told nothing */
export function observedOf(step: Step): Observed {
  if (step.observed !== undefined) return step.observed;
  throw new RangeError(
    `Cannot look inside step ${step.index}: nothing was observed in it. ` +
      `Give the run { observe: model.observe(["*.attn2"]) }.`,
  );
}

/**
 * How much of each place's attention goes to some tokens, `[height/8, width/8]`, 0..1.
 *
 * @param positions of the tokens among the 77: of a word's tokens, the sum is taken
 * @throws RangeError when no such layer was observed
 */
export function tokenMap(
  step: Step,
  positions: readonly number[],
  { layers, picture = 0, half = "prompt" }: WordMapOptions = {},
): Plane {
  const all = [...observedOf(step).attention.values()].filter((map) => map.of === "text");
  const maps = layers === undefined ? all : all.filter(({ layer }) => layers.includes(layer));
  if (maps.length === 0 || (layers !== undefined && maps.length < layers.length)) {
    throw new RangeError(
      `Cannot map the attention to words: observed were ${all.map(({ layer }) => layer).join(", ") || "none"}; ` +
        `wanted ${layers?.join(", ") ?? "at least one layer of cross-attention, attn2"}.`,
    );
  }
  const [, , height, width] = step.latent.shape;
  const sum = new Float32Array(width * height);
  for (const map of maps) {
    const probabilities = half === "prompt" ? map.probabilities : map.unconditional;
    if (probabilities === undefined) {
      throw new RangeError('Cannot map the unconditional half: the step was not guided. Wanted: half "prompt".');
    }
    const [, heads, rows, columns, keys] = probabilities.shape;
    const data = probabilities.at(picture).data;
    const values = new Float32Array(rows * columns);
    for (let head = 0; head < heads; head++) {
      for (let place = 0; place < values.length; place++) {
        const from = (head * values.length + place) * keys;
        for (const position of positions) values[place] += data[from + position] / heads;
      }
    }
    resize({ width: columns, height: rows, values }, width, height).values
      .forEach((value, index) => sum[index] += value / maps.length);
  }
  return { width, height, values: sum };
}
