/** A recorded run, and one way in which two of them differ. */

import type { Tensor } from "../tensor/tensor.ts";

export interface Run {
  /** What to call it in a sentence: a file's name, a tool's. */
  readonly name: string;
  /** By their names in a record: `noise`, `prompt_embeds`, …, `latents`. Any may be missing. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Where known, so that another tool's way of drawing noise can be told. */
  readonly seeds?: readonly (number | bigint)[];
}

/** One tensor that two runs have, and how far apart it is. */
export interface Difference {
  /** The tensor's name in a record. */
  readonly key: string;
  /** For those with one entry a step: the step, 0 for the first; of `latents`, the number of steps taken. */
  readonly step?: number;
  /** ‖a − b‖ / ‖b‖; infinite where shapes differ or a value is no number. */
  readonly relativeL2: number;
  /** What `relativeL2` may be where both runs are right. */
  readonly tolerance: number;
  /** Whether `relativeL2` is within `tolerance`. */
  readonly same: boolean;
  /** Index of the value that is furthest off, counted through the whole entry. */
  readonly worst: number;
}
