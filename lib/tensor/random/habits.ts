/**
 * How tools draw the first noise of a batch. diffusers users give each picture a generator of its own, or one for all;
 * ComfyUI draws a batch from one CPU generator; A1111 counts the seed up and draws on the GPU by default.
 */

import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { batchNoise, torchGenerator } from "./mod.ts";

export const NOISE_HABITS = ["each-own", "one-stream", "counted-up"] as const;
export type NoiseHabit = typeof NOISE_HABITS[number];

export interface HabitOptions {
  /** Pictures. Default: as many as there are seeds. */
  readonly batch?: number;
  /** Default "cpu". */
  readonly device?: "cpu" | "cuda";
}

/**
 * Unit normal noise `[batch, …shape]` as a tool with that habit draws it.
 * @param seeds one a picture for "each-own"; the other habits take the first
 * @param shape one picture's, `[4, height/8, width/8]`
 * @throws RangeError where no seed is given, or "each-own" has not one a picture
 */
export function noiseByHabit(
  habit: NoiseHabit,
  seeds: readonly (number | bigint)[],
  shape: Shape,
  { batch = seeds.length, device = "cpu" }: HabitOptions = {},
): Tensor {
  const [seed] = seeds;
  if (seed === undefined) throw new RangeError("Cannot draw noise: no seed was given.");
  switch (habit) {
    case "each-own":
      if (batch !== seeds.length) {
        throw new RangeError(
          `Cannot draw noise for ${batch} pictures from ${seeds.length} seeds: wanted is one a picture.`,
        );
      }
      return batchNoise(seeds.map((seed) => torchGenerator(seed, { device })), shape).noise;
    case "one-stream": {
      const { values } = torchGenerator(seed, { device }).randn(batch * sizeOf(shape));
      return new Tensor(values, [batch, ...shape]);
    }
    case "counted-up": {
      const counted = Array.from({ length: batch }, (_, i) => torchGenerator(BigInt(seed) + BigInt(i), { device }));
      return batchNoise(counted, shape).noise;
    }
  }
}
