/**
 * torch's random numbers, as values: drawing gives the numbers and the generator that comes after them, so a step
 * can be taken twice, or another way, from the same place of the stream.
 */

import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import type { Generator, NoiseType } from "./generator.ts";
import { CpuGenerator } from "./mt19937.ts";
import { CUDA_THREADS, CudaGenerator } from "./philox.ts";

export { NOISE_TYPES } from "./generator.ts";
export type { Generator, NoiseType };

export interface GeneratorOptions {
  /** Which of torch's generators: the CPU's Mersenne Twister or the GPU's Philox. Default "cpu", as diffusers' guides. */
  readonly device?: "cpu" | "cuda";
  /**
   * Which number type torch draws in: `torch.randn(…, dtype=…)`, that of the pipeline. The values are float32 all the
   * same, rounded to it. Default "fp32".
   */
  readonly type?: NoiseType;
  /**
   * Of the GPU that is followed: multiprocessors × ⌊threads of one / 256⌋ × 256, which decides the order of more values
   * than that (a T4 has 40,960). Default 221,184, an A100's: no latent up to 1024×1024 reaches it.
   */
  readonly threads?: number;
}

/**
 * `torch.Generator(device).manual_seed(seed)`.
 * @throws RangeError for a seed that torch would not take, or that a JavaScript number cannot hold exactly
 */
export function torchGenerator(seed: number | bigint, options: GeneratorOptions = {}): Generator {
  const { device = "cpu", threads = CUDA_THREADS, type = "fp32" } = options;
  const unsigned = readSeed(seed);
  return device === "cpu" ? CpuGenerator.seeded(unsigned, type) : CudaGenerator.seeded(unsigned, threads, type);
}

/** torch's seed of 64 bits: −1 is 2⁶⁴ − 1. @throws RangeError as `torchGenerator` */
function readSeed(seed: number | bigint): bigint {
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    const problem = Number.isInteger(seed) ? "is beyond 2⁵³, where numbers lose digits" : "is not a whole number";
    throw new RangeError(
      `Cannot use seed ${seed}: it ${problem}. Wanted: a whole number, above 2⁵³ as a bigint (123n).`,
    );
  }
  const wide = BigInt(seed);
  if (wide < -(2n ** 63n) || wide >= 2n ** 64n) {
    throw new RangeError(`Cannot use seed ${seed}: torch takes −2⁶³ to 2⁶⁴ − 1.`);
  }
  return BigInt.asUintN(64, wide);
}

/**
 * Unit normal noise for a batch, as diffusers draws it from a list of generators: `[1, …]` per picture, each from its
 * own, so that a picture does not depend on its neighbours. `shape` is one picture's, for example `[4, height/8, width/8]`.
 * @returns `noise` `[seeds, …shape]`, and the generators as they stand after it
 */
export function initialNoise(
  seeds: readonly (number | bigint)[],
  shape: Shape,
  options: GeneratorOptions = {},
): { readonly noise: Tensor; readonly generators: readonly Generator[] } {
  return batchNoise(seeds.map((seed) => torchGenerator(seed, options)), shape);
}

/**
 * The same from generators that have begun: what a sampler's step draws.
 * @param batch pictures, where one generator draws several of them in one call. Default: one each
 */
export function batchNoise(
  generators: readonly Generator[],
  shape: Shape,
  batch = generators.length,
): { readonly noise: Tensor; readonly generators: readonly Generator[] } {
  const share: Shape = [batch / generators.length, ...shape];
  const drawn = generators.map((generator) => generator.randn(sizeOf(share)));
  return {
    noise: Tensor.concat(drawn.map(({ values }) => new Tensor(values, share))),
    generators: drawn.map(({ next }) => next),
  };
}
