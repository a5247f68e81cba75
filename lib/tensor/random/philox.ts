/**
 * torch's CUDA generator on any machine: Philox 4×32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as
 * 1, 2, 3") and the order in which torch's kernel hands its words to the elements of `torch.randn`.
 * Sources: ATen/native/cuda/DistributionTemplates.h (grid and counters), cuRAND's device API (Box-Muller).
 */

import type { Generator } from "./generator.ts";

const ROUNDS = 10;
const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const BLOCK = 256; // threads of a block in torch's distribution kernels
const UNROLL = 4; // normals that a thread makes of one counter

/**
 * The most threads that torch starts at once: multiprocessors × ⌊threads per multiprocessor / 256⌋ × 256.
 * An A100 has 108 × 2,048; few devices have less than a latent of 1024×1024 pixels wants (65,536 values).
 */
export const CUDA_THREADS = 108 * 2048;

/**
 * The upper half of a 64-bit product. In double the product is off by at most 2¹¹, so that the upper half, once the
 * exact lower one is taken away, is nearer than 2⁻²⁰ to the whole number that it is.
 */
function multiplyHigh(a: number, b: number): number {
  const low = Math.imul(a, b) >>> 0;
  return Math.floor((a * (b >>> 0) - low) * 2 ** -32 + 0.5) | 0;
}

/** Ten rounds on `counter` `[4]`, in place. */
export function philox(counter: Uint32Array, keyLow: number, keyHigh: number): void {
  // Signed throughout: what counts are the 32 bits.
  let c0 = counter[0] | 0, c1 = counter[1] | 0, c2 = counter[2] | 0, c3 = counter[3] | 0;
  let k0 = keyLow | 0, k1 = keyHigh | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(M0, c0), low0 = Math.imul(M0, c0);
    const high1 = multiplyHigh(M1, c2), low1 = Math.imul(M1, c2);
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  counter[0] = c0;
  counter[1] = c1;
  counter[2] = c2;
  counter[3] = c3;
}

export class CudaGenerator implements Generator {
  readonly device = "cuda";

  /** @param offset words of each thread's stream already used, as torch counts them */
  private constructor(readonly seed: bigint, private readonly threads: number, private readonly offset: bigint) {}

  static seeded(seed: bigint, threads: number): CudaGenerator {
    return new CudaGenerator(seed, threads, 0n);
  }

  randn(count: number): { readonly values: Float32Array<ArrayBuffer>; readonly next: CudaGenerator } {
    const values = new Float32Array(count);
    const threads = BLOCK * Math.min(Math.ceil(count / BLOCK), Math.floor(this.threads / BLOCK));
    const draws = Math.ceil(count / (UNROLL * threads)) || 0;
    const keyLow = Number(BigInt.asUintN(32, this.seed));
    const keyHigh = Number(BigInt.asUintN(32, this.seed >> 32n));
    const counter = new Uint32Array(4);
    const normals = new Float64Array(UNROLL);
    for (let draw = 0; draw < draws; draw++) {
      const position = this.offset / 4n + BigInt(draw);
      const low = Number(BigInt.asUintN(32, position));
      const high = Number(BigInt.asUintN(32, position >> 32n));
      const start = draw * UNROLL * threads;
      for (let thread = 0; thread < threads && start + thread < count; thread++) {
        counter[0] = low;
        counter[1] = high;
        counter[2] = thread;
        counter[3] = 0;
        philox(counter, keyLow, keyHigh);
        boxMullerOfWords(counter, normals);
        for (let c = 0, i = start + thread; c < UNROLL && i < count; c++, i += threads) values[i] = normals[c];
      }
    }
    return { values, next: new CudaGenerator(this.seed, this.threads, this.offset + BigInt(UNROLL * draws)) };
  }
}

/** Two words make two normals, the sine first. Half a step is added, so that no uniform is 0. */
function boxMullerOfWords(words: Uint32Array, out: Float64Array): void {
  for (let i = 0; i < 4; i += 2) {
    const r = Math.sqrt(-2 * Math.log(words[i] * 2 ** -32 + 2 ** -33));
    const theta = (words[i + 1] * 2 ** -32 + 2 ** -33) * 2 * Math.PI;
    out[i] = r * Math.sin(theta);
    out[i + 1] = r * Math.cos(theta);
  }
}
