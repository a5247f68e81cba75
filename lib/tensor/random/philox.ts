/**
 * torch's CUDA generator on any machine: Philox 4×32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as
 * 1, 2, 3") and the order in which torch's kernel hands its words to the elements of `torch.randn`.
 * Sources: ATen/native/cuda/DistributionTemplates.h (grid and counters), cuRAND's device API (Box-Muller).
 */

import type { Generator } from "./generator.ts";
import { boxMullerOfWords } from "./normal_of_words.ts";

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

/** Threads that are worked on together, each kind of work in a loop of its own: those compile better than one of all. */
const CHUNK = 512;

/** The four words of each thread: counters first, random numbers after `philox`. */
const WORDS = Array.from({ length: UNROLL }, () => new Int32Array(CHUNK));

/**
 * The upper half of a 64-bit product, whose lower half is known. In double the product is off by at most 2¹¹, so that,
 * once the lower half is taken away, the rest is nearer than 2⁻²⁰ to the whole number that it is.
 */
function upperHalf(a: number, b: number, low: number): number {
  return ((a * (b >>> 0) - (low >>> 0)) * 2 ** -32 + 0.5) | 0;
}

/**
 * Ten rounds on the first `count` entries of four arrays of words, in place. All words are signed: what counts are the
 * 32 bits. One round of many threads at a time: none waits for itself.
 */
export function philox(
  [w0, w1, w2, w3]: readonly Int32Array[],
  count: number,
  keyLow: number,
  keyHigh: number,
): void {
  let k0 = keyLow | 0, k1 = keyHigh | 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < count; i++) {
      const c0 = w0[i], c2 = w2[i];
      const low0 = Math.imul(M0, c0), low1 = Math.imul(M1, c2);
      w0[i] = upperHalf(M1, c2, low1) ^ w1[i] ^ k0;
      w2[i] = upperHalf(M0, c0, low0) ^ w3[i] ^ k1;
      w1[i] = low1;
      w3[i] = low0;
    }
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
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

/** One draw of every thread: of four normals each, the c-th lies `c · threads` further on. What has no place is lost. */
function drawOnce(
  values: Float32Array,
  threads: number,
  [low, high]: readonly [number, number],
  [keyLow, keyHigh]: readonly [number, number],
): void {
  const [w0, w1, w2, w3] = WORDS;
  const used = Math.min(threads, values.length);
  for (let start = 0; start < used; start += CHUNK) {
    const count = Math.min(CHUNK, used - start);
    w0.fill(low);
    w1.fill(high);
    w3.fill(0);
    for (let i = 0; i < count; i++) w2[i] = start + i;
    philox(WORDS, count, keyLow, keyHigh);
    for (let c = 0; c < UNROLL; c += 2) {
      const first = start + c * threads; // the sines; the cosines lie one grid further on
      if (first >= values.length) break;
      const place = (at: number) => values.subarray(at, Math.min(at + count, values.length));
      boxMullerOfWords(WORDS[c], WORDS[c + 1], place(first), place(first + threads));
    }
  }
}
