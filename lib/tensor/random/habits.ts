/**
 * How tools draw the noise of a batch. diffusers users give each picture a generator of its own, or one for all;
 * ComfyUI draws a batch from one CPU generator; A1111 counts the seed up and draws on the GPU by default.
 */

import type { Shape, Tensor } from "../tensor.ts";
import { batchNoise, type Generator, type NoiseType, torchGenerator } from "./mod.ts";

/** How tools take the noise of a batch from seeds. */
export const NOISE_HABITS = ["each-own", "one-stream", "counted-up"] as const;
/**
 * How a batch takes its noise from seeds. "each-own": a generator for each picture, as diffusers with a list.
 * "one-stream": all from the first seed, as ComfyUI. "counted-up": seed, seed + 1, …, as A1111.
 */
export type NoiseHabit = typeof NOISE_HABITS[number];

export interface HabitOptions {
  /** Pictures. Default: as many as there are seeds. */
  readonly batch?: number;
  /** Default "cpu". */
  readonly device?: "cpu" | "cuda";
  /** Default "fp32". */
  readonly type?: NoiseType;
}

/**
 * The generators that a tool with that habit draws a batch from: one a picture, or one for all.
 * @param seeds one a picture for "each-own"; the other habits take the first
 * @throws RangeError where no seed is given, or "each-own" has not one a picture
 */
export function generatorsByHabit(
  habit: NoiseHabit,
  seeds: readonly (number | bigint)[],
  { batch = seeds.length, device = "cpu", type }: HabitOptions = {},
): readonly Generator[] {
  const [seed] = seeds;
  if (seed === undefined) throw new RangeError("Cannot draw noise: no seed was given.");
  switch (habit) {
    case "each-own":
      if (batch !== seeds.length) {
        throw new RangeError(
          `Cannot draw noise for ${batch} pictures from ${seeds.length} seeds, each its own: wanted is one a picture. ` +
            `The habits one-stream and counted-up draw them all from one seed.`,
        );
      }
      return seeds.map((seed) => torchGenerator(seed, { device, type }));
    case "one-stream":
      return [torchGenerator(seed, { device, type })];
    case "counted-up":
      return Array.from({ length: batch }, (_, i) => torchGenerator(BigInt(seed) + BigInt(i), { device, type }));
  }
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
  { batch = seeds.length, device, type }: HabitOptions = {},
): Tensor {
  return batchNoise(generatorsByHabit(habit, seeds, { batch, device, type }), shape, batch).noise;
}
