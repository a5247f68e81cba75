/** Time and memory of whole runs, a row for each number of steps: the material of a table. */

import { basename } from "node:path";
import { type Memory, readMemory, resetPeak } from "./memory.ts";
import { repeat, type Repetition, type Spread, spread } from "./stopwatch.ts";

/** What can be measured: an opened `Model`. */
export interface Measurable<Request> {
  /** What it was opened from: it names the measurement. */
  readonly checkpoint: { readonly path: string };
  /** A whole picture, with the milliseconds of its parts. */
  generate(
    request: Request,
    options: { readonly signal?: AbortSignal },
  ): Promise<{ readonly timing: { readonly begin: number; readonly steps: number; readonly decode: number } }>;
}

/** How often a model is run to be measured, and what is asked of it. */
export interface RunMeasureOptions<Request> extends Repetition {
  /** What is drawn. Its steps are those of each row. */
  readonly request: Request;
  /** Denoising steps, a row each. */
  readonly steps: readonly number[];
  /** The model's name in the rows. Default: its file's or folder's. */
  readonly name?: string;
}

/** One number of steps. Times are milliseconds of wall time. */
export interface Measurement {
  /** The path that it was opened by. */
  readonly model: string;
  /** Denoising steps of a run. */
  readonly steps: number;
  /** Runs that were measured. */
  readonly repeats: number;
  /** Text and noise. A prompt that was encoded before, as in the warm-up, is remembered: then it is noise alone. */
  readonly begin: Spread;
  /** All denoising steps. */
  readonly denoise: Spread;
  /** Milliseconds of the VAE. */
  readonly decode: Spread;
  /** Milliseconds of a whole run. */
  readonly total: Spread;
  /** The median of `denoise`, divided by the steps. */
  readonly perStep: number;
  /** Bytes of the process after the runs, and the most during them, the model and all else that the process holds. */
  readonly memory: Memory;
}

/**
 * Measures a model: warm-ups, then `repeats` whole runs for each number of steps.
 *
 *     await measure(model, { request: { prompt, seed: 1, recipe: "none" }, steps: [1, 2, 4, 8], repeats: 5 })
 *
 * @throws what the model refuses, such as a number of steps that a recipe was not distilled for
 */
export async function measure<Request extends { readonly steps?: number }>(
  model: Measurable<Request>,
  { request, steps, name = basename(model.checkpoint.path), ...repetition }: RunMeasureOptions<Request>,
): Promise<readonly Measurement[]> {
  const rows: Measurement[] = [];
  for (const count of steps) {
    resetPeak();
    const { signal } = repetition;
    const run = () => model.generate({ ...request, steps: count }, { signal });
    const times = (await repeat(run, repetition)).map(({ timing }) => timing);
    const denoise = spread(times.map(({ steps }) => steps));
    rows.push({
      model: name,
      steps: count,
      repeats: times.length,
      begin: spread(times.map(({ begin }) => begin)),
      denoise,
      decode: spread(times.map(({ decode }) => decode)),
      total: spread(times.map(({ begin, steps, decode }) => begin + steps + decode)),
      perStep: denoise.median / count,
      memory: readMemory(),
    });
  }
  return rows;
}
