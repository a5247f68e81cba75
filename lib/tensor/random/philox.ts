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

/** Ten rounds on the four words of `counter` from `at` on, in place. */
export function philox(counter: Uint32Array, at: number, keyLow: number, keyHigh: number): void {
  // Signed throughout: what counts are the 32 bits.
  let c0 = counter[at] | 0, c1 = counter[at + 1] | 0, c2 = counter[at + 2] | 0, c3 = counter[at + 3] | 0;
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
  counter[at] = c0;
  counter[at + 1] = c1;
  counter[at + 2] = c2;
  counter[at + 3] = c3;
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
    for (let draw = 0; draw < draws; draw++) {
      const position = this.offset / 4n + BigInt(draw);
      const low = Number(BigInt.asUintN(32, position));
      const high = Number(BigInt.asUintN(32, position >> 32n));
      drawOnce(values.subarray(draw * UNROLL * threads), threads, [low, high], [keyLow, keyHigh]);
    }
    return { values, next: new CudaGenerator(this.seed, this.threads, this.offset + BigInt(UNROLL * draws)) };
  }
}

/** Threads that are worked on together: words first, normals then. Loops of one kind compile better than one of both. */
const CHUNK = 1024;

/** One draw of every thread: of four normals each, the c-th lies `c · threads` further on. What has no place is lost. */
function drawOnce(
  values: Float32Array,
  threads: number,
  [low, high]: readonly [number, number],
  [keyLow, keyHigh]: readonly [number, number],
): void {
  const words = new Uint32Array(UNROLL * CHUNK);
  const used = Math.min(threads, values.length);
  for (let start = 0; start < used; start += CHUNK) {
    const count = Math.min(CHUNK, used - start);
    for (let i = 0; i < count; i++) {
      words[UNROLL * i] = low;
      words[UNROLL * i + 1] = high;
      words[UNROLL * i + 2] = start + i;
      words[UNROLL * i + 3] = 0;
      philox(words, UNROLL * i, keyLow, keyHigh);
    }
    for (let c = 0; c < UNROLL; c += 2) {
      place(values, start + c * threads, threads, words, c, count);
    }
  }
}

/**
 * Words `c` and `c + 1` of each thread make two normals, the sine first, `stride` apart. Half a step is added, so that
 * no uniform is 0.
 */
function place(values: Float32Array, at: number, stride: number, words: Uint32Array, c: number, count: number): void {
  for (let i = 0; i < count && at + i < values.length; i++) {
    const r = Math.sqrt(-2 * Math.log(words[UNROLL * i + c] * 2 ** -32 + 2 ** -33));
    const theta = (words[UNROLL * i + c + 1] * 2 ** -32 + 2 ** -33) * 2 * Math.PI;
    values[at + i] = r * Math.sin(theta);
    if (at + stride + i < values.length) values[at + stride + i] = r * Math.cos(theta);
  }
}
