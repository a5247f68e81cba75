/**
 * torch's CUDA generator on any machine: Philox 4×32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as
 * 1, 2, 3") and the order in which torch's kernel hands its words to the elements of `torch.randn`.
 * Sources: ATen/native/cuda/DistributionTemplates.h (grid and counters), cuRAND's device API (Box-Muller).
 */

import { type Generator, type NoiseType, roundedTo } from "./generator.ts";
import { CAPACITY, kernel } from "./wasm/kernel.ts";

const BLOCK = 256; // threads of a block in torch's distribution kernels
const UNROLL = 4; // normals that a thread makes of one counter

/**
 * The most threads that torch starts at once: multiprocessors × ⌊threads per multiprocessor / 256⌋ × 256.
 * An A100 has 108 × 2,048; few devices have less than a latent of 1024×1024 pixels wants (65,536 values).
 */
export const CUDA_THREADS = 108 * 2048;

export class CudaGenerator implements Generator {
  readonly device = "cuda";

  /** @param offset words of each thread's stream already used, as torch counts them */
  private constructor(
    readonly seed: bigint,
    private readonly threads: number,
    private readonly type: NoiseType,
    private readonly offset: bigint,
  ) {}

  static seeded(seed: bigint, threads: number, type: NoiseType = "fp32"): CudaGenerator {
    return new CudaGenerator(seed, threads, type, 0n);
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
    const { seed, type, offset } = this;
    const next = new CudaGenerator(seed, this.threads, type, offset + BigInt(UNROLL * draws));
    return { values: roundedTo(type, values), next };
  }
}

/** One draw of every thread: of four normals each, the c-th lies `c · threads` further on. What has no place is lost. */
function drawOnce(
  values: Float32Array,
  threads: number,
  [low, high]: readonly [number, number],
  [keyLow, keyHigh]: readonly [number, number],
): void {
  const { words: [w0, w1, w2, w3], normals, philox, boxMuller } = kernel();
  const used = Math.min(threads, values.length);
  for (let start = 0; start < used; start += CAPACITY) {
    const count = Math.min(CAPACITY, used - start);
    w0.fill(low);
    w1.fill(high);
    for (let i = 0; i < count; i++) w2[i] = start + i;
    w3.fill(0);
    philox(count, keyLow, keyHigh);
    for (const pair of [0, 2] as const) {
      // Of four normals a thread, those beyond the end are not made: most often three.
      if (start + pair * threads >= values.length) break;
      boxMuller(count, pair);
      for (const c of [pair, pair + 1]) {
        const place = start + c * threads;
        const room = Math.min(count, values.length - place);
        if (room > 0) values.set(normals[c].subarray(0, room), place);
      }
    }
  }
}
