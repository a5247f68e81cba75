/**
 * torch's CPU generator: the Mersenne Twister of Matsumoto and Nishimura (1998), and the two ways in which
 * torch turns its words into unit normals. Sources: ATen/core/MT19937RNGEngine.h, ATen/native/cpu/
 * DistributionTemplates.h, ATen/core/DistributionsHelper.h (PyTorch 2.13).
 */

import { type Generator, type NoiseType, roundedTo } from "./generator.ts";
import { boxMullerInBlocks } from "./normal.ts";

const N = 624; // words of state
const M = 397; // distance of the word that is mixed in

/** From this many values on torch fills whole arrays; below, it draws one double after another. */
const VECTOR = 16;

/** A stream of 32-bit words. It changes as it is read: generators copy it, so that they never do. */
export class Twister {
  private constructor(readonly state: Uint32Array, private next: number) {}

  /** torch keeps only the seed's lower 32 bits here: seeds that differ above them give the same stream. */
  static seeded(seed: bigint): Twister {
    const state = new Uint32Array(N);
    state[0] = Number(BigInt.asUintN(32, seed));
    for (let i = 1; i < N; i++) {
      const previous = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, previous) + i;
    }
    return new Twister(state, N);
  }

  copy(): Twister {
    return new Twister(this.state.slice(), this.next);
  }

  word(): number {
    if (this.next === N) this.#twist();
    return temper(this.state[this.next++]) >>> 0;
  }

  /** Fills `out[from…]` with uniforms of 24 bits, `k·2⁻²⁴` in [0, 1). */
  fill24(out: Float32Array, from = 0): void {
    const { state } = this;
    for (let i = from; i < out.length;) {
      if (this.next === N) this.#twist();
      const end = Math.min(out.length, i + N - this.next);
      let next = this.next;
      while (i < end) out[i++] = (temper(state[next++]) & 0xffffff) * 2 ** -24;
      this.next = next;
    }
  }

  /** A uniform of 53 bits in [0, 1); the first word drawn is the upper one. */
  uniform53(): number {
    const high = this.word() & 0x1fffff;
    return (high * 2 ** 32 + this.word()) * 2 ** -53;
  }

  #twist(): void {
    const { state } = this;
    let i = 0;
    for (; i < N - M; i++) state[i] = state[i + M] ^ mix(state[i], state[i + 1]);
    for (; i < N - 1; i++) state[i] = state[i + M - N] ^ mix(state[i], state[i + 1]);
    state[i] = state[M - 1] ^ mix(state[i], state[0]);
    this.next = 0;
  }
}

function mix(upper: number, lower: number): number {
  const y = (upper & 0x80000000) | (lower & 0x7fffffff);
  return (y >>> 1) ^ (-(lower & 1) & 0x9908b0df);
}

function temper(y: number): number {
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >>> 18);
}

export class CpuGenerator implements Generator {
  readonly device = "cpu";

  /** @param spare the second normal of a pair that a draw of few values left over; the next such draw takes it */
  private constructor(
    readonly seed: bigint,
    private readonly type: NoiseType,
    private readonly twister: Twister,
    private readonly spare?: number,
  ) {}

  static seeded(seed: bigint, type: NoiseType = "fp32"): CpuGenerator {
    return new CpuGenerator(seed, type, Twister.seeded(seed));
  }

  randn(count: number): { readonly values: Float32Array<ArrayBuffer>; readonly next: CpuGenerator } {
    const twister = this.twister.copy();
    const values = new Float32Array(count);
    const spare = count < VECTOR ? drawSingly(twister, values, this.spare) : this.spare;
    if (count >= VECTOR) drawInBlocks(twister, values, this.type);
    return { values: roundedTo(this.type, values), next: new CpuGenerator(this.seed, this.type, twister, spare) };
  }
}

/** Below 16 values: pairs in double, u₁ the angle and u₂ the radius. Returns the normal left over, if one is. */
function drawSingly(twister: Twister, values: Float32Array, spare: number | undefined): number | undefined {
  for (let i = 0; i < values.length; i++) {
    if (spare !== undefined) {
      values[i] = spare;
      spare = undefined;
      continue;
    }
    const theta = 2 * Math.PI * twister.uniform53();
    const r = Math.sqrt(-2 * Math.log1p(-twister.uniform53()));
    values[i] = r * Math.cos(theta);
    spare = r * Math.sin(theta);
  }
  return spare;
}

/**
 * From 16 values: blocks of 16; a last block that is not full is drawn anew as a whole. In float32 all uniforms come
 * first, those of the last block too, which are lost; in half precision only whole blocks' do (seen in torch 2.13).
 */
function drawInBlocks(twister: Twister, values: Float32Array, type: NoiseType): void {
  const whole = values.length - values.length % VECTOR;
  twister.fill24(type === "fp32" ? values : values.subarray(0, whole));
  boxMullerInBlocks(values.subarray(0, whole));
  if (whole === values.length) return;
  const tail = values.subarray(values.length - VECTOR);
  twister.fill24(tail);
  boxMullerInBlocks(tail);
}
