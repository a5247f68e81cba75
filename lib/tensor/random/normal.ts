/**
 * Uniform numbers become normal ones: Box and Muller 1958, as torch's vectorised CPU kernel computes them.
 *
 * That kernel takes logarithm, sine and cosine from the single-precision polynomials of Cephes (Moshier 1989), each
 * step a fused multiply-add. The same steps here give the same bits as torch on x86-64 (checked on 65,536 values),
 * where Math.log, Math.sin and Math.cos would be off by up to 1.3e-6, and they are faster than those calls.
 */

const f32 = Math.fround;

/** 24-bit uniforms are whole numbers in units of this. */
const UNIT = 2 ** -24;

const TWO_PI = f32(2 * Math.PI);
const FOUR_OVER_PI = f32(4 / Math.PI);

/** ln 2 in two parts, the first exact in few bits: Cephes' logf. */
const LN2_HIGH = f32(0.693359375);
const LN2_LOW = f32(-2.12194440e-4);

/** π/4 in three parts, for Cody and Waite's reduction: Cephes' sinf. */
const PI4_HIGH = f32(0.78515625);
const PI4_MIDDLE = f32(2.4187564849853515625e-4);
const PI4_LOW = f32(3.77489497744594108e-8);

const LOG = [
  7.0376836292e-2,
  -1.1514610310e-1,
  1.1676998740e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
].map(f32);
const [L0, L1, L2, L3, L4, L5, L6, L7, L8] = LOG;
const [C0, C1, C2] = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f32);
const [S0, S1, S2] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f32);

/** √½ in units of 24 bits: where Cephes' logf changes from one exponent to the next. */
const SQRT_HALF = f32(Math.SQRT1_2) / UNIT;

/**
 * Turns uniforms `[16·k]` of 24 bits in [0, 1) into unit normals, in place. In each block of 16 the first eight give
 * the radius, the last eight the angle. Two passes, and tables where a choice is as good as random: a processor that
 * guesses wrong half of the time takes twice as long.
 */
export function boxMullerInBlocks(values: Float32Array): void {
  for (let block = 0; block < values.length; block += 16) {
    for (let i = block; i < block + 8; i++) values[i] = radius(values[i]);
  }
  for (let block = 0; block < values.length; block += 16) {
    for (let i = block; i < block + 8; i++) turn(values, i);
  }
}

/**
 * √(−2 ln u) for u = 1 − `uniform`. Products of float32 are exact in double: rounding once after the sum is
 * a fused multiply-add.
 */
function radius(uniform: number): number {
  if (uniform === 0) return 0;
  const units = (1 / UNIT - uniform / UNIT) | 0; // 1 … 2²⁴ − 1
  const zeros = Math.clz32(units) - 8;
  const mantissa = units << zeros; // 2²³ … 2²⁴ − 1
  const below = (mantissa - SQRT_HALF) >>> 31;
  const e = -zeros - below;
  const x = mantissa * SCALE[below] - 1;
  const z = f32(x * x);
  let y = f32(L0 * x + L1);
  y = f32(y * x + L2);
  y = f32(y * x + L3);
  y = f32(y * x + L4);
  y = f32(y * x + L5);
  y = f32(y * x + L6);
  y = f32(y * x + L7);
  y = f32(y * x + L8);
  y = f32(f32(y * x) * z + f32(e * LN2_LOW));
  y = f32(y - z * 0.5);
  return f32(Math.sqrt(-2 * f32(e * LN2_HIGH + f32(x + y))));
}

/** What makes a mantissa in units a number from √½ to √2. */
const SCALE = Float64Array.of(UNIT, 2 * UNIT);

const SIGN = Float64Array.of(1, -1);
const pair = new Float64Array(2);

/** (r, uniform) at `i` and `i + 8` become (r cos θ, r sin θ). */
function turn(values: Float32Array, i: number): void {
  const theta = f32(TWO_PI * values[i + 8]);
  const octant = (f32(FOUR_OVER_PI * theta) + 1) & ~1; // the even one nearest below or above
  const x = f32(f32(f32(theta - octant * PI4_HIGH) - octant * PI4_MIDDLE) - octant * PI4_LOW);
  const z = f32(x * x);
  const swapped = (octant >> 1) & 1;
  pair[swapped] = f32(f32(f32(f32(f32(C0 * z + C1) * z + C2) * z) * z - f32(z * 0.5)) + 1);
  pair[1 - swapped] = f32(f32(f32(f32(S0 * z + S1) * z + S2) * z) * x + x);
  const r = values[i];
  values[i] = r * pair[0] * SIGN[((octant + 2) >> 2) & 1];
  values[i + 8] = r * pair[1] * SIGN[(octant >> 2) & 1];
}
