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

/** What makes a mantissa in units a number from √½ to √2. */
const SCALE = Float64Array.of(UNIT, 2 * UNIT);
/** By quarter turn: what the two polynomials are to be multiplied with. */
const COSINE_SIGN = Float64Array.of(1, 1, -1, -1, 1);
const SINE_SIGN = Float64Array.of(1, -1, -1, 1, 1);

/**
 * Values are worked on in chunks, by short loops over small arrays: a processor overlaps the steps of many values there,
 * where one long chain a value keeps it waiting for itself. This and tables in place of choices that are as good as
 * random make up for half of the time.
 */
const CHUNK = 512;
const [R, U, X, Y, Z] = Array.from({ length: 5 }, () => new Float32Array(CHUNK));
const EXPONENT = new Float32Array(CHUNK);
const QUARTER = new Int32Array(CHUNK);
const TURN = new Float32Array(2 * CHUNK); // cosine and sine, side by side

/**
 * Turns uniforms `[16·k]` of 24 bits in [0, 1) into unit normals, in place. In each block of 16 the first eight give
 * the radius, the last eight the angle.
 */
export function boxMullerInBlocks(values: Float32Array): void {
  for (let start = 0; start < values.length; start += 2 * CHUNK) {
    const pairs = Math.min(CHUNK, (values.length - start) / 2);
    for (let i = 0; i < pairs; i++) {
      const at = start + 2 * i - (i & 7); // eight apart from its partner
      R[i] = values[at];
      U[i] = values[at + 8];
    }
    radii(pairs);
    turns(pairs);
    for (let i = 0; i < pairs; i++) {
      const at = start + 2 * i - (i & 7);
      values[at] = R[i] * TURN[2 * i];
      values[at + 8] = R[i] * TURN[2 * i + 1];
    }
  }
}

/**
 * R becomes √(−2 ln(1 − R)). Products of float32 are exact in double: rounding once after the sum is a fused
 * multiply-add, and storing in a float32 array is rounding too.
 */
function radii(count: number): void {
  for (let i = 0; i < count; i++) {
    const units = (1 / UNIT - R[i] / UNIT) | 0; // 1 … 2²⁴
    const zeros = Math.max(Math.clz32(units) - 8, 0);
    const mantissa = units << zeros; // 2²³ … 2²⁴
    const below = (mantissa - SQRT_HALF) >>> 31;
    EXPONENT[i] = -zeros - below;
    X[i] = mantissa * SCALE[below] - 1;
  }
  for (let i = 0; i < count; i++) {
    const x = X[i];
    Y[i] = f32(f32(f32(L0 * x + L1) * x + L2) * x + L3) * x + L4;
  }
  for (let i = 0; i < count; i++) {
    const x = X[i];
    Y[i] = f32(f32(f32(Y[i] * x + L5) * x + L6) * x + L7) * x + L8;
  }
  for (let i = 0; i < count; i++) {
    const x = X[i], e = EXPONENT[i];
    const z = f32(x * x);
    const y = f32(f32(f32(Y[i] * x) * z + f32(e * LN2_LOW)) - z * 0.5);
    R[i] = Math.sqrt(-2 * f32(e * LN2_HIGH + f32(x + y)));
  }
}

/** TURN becomes cosine and sine of 2π·U. */
function turns(count: number): void {
  for (let i = 0; i < count; i++) {
    const theta = f32(TWO_PI * U[i]);
    const octant = (f32(FOUR_OVER_PI * theta) + 1) & ~1; // the even one nearest below or above
    const x = f32(f32(f32(theta - octant * PI4_HIGH) - octant * PI4_MIDDLE) - octant * PI4_LOW);
    QUARTER[i] = octant >> 1;
    X[i] = x;
    Z[i] = x * x;
  }
  for (let i = 0; i < count; i++) {
    const x = X[i], z = Z[i], quarter = QUARTER[i];
    const cosine = f32(f32(f32(f32(C0 * z + C1) * z + C2) * z) * z - f32(z * 0.5)) + 1;
    const sine = f32(f32(f32(S0 * z + S1) * z + S2) * z) * x + x;
    const swapped = quarter & 1; // in every other quarter the two change places
    TURN[2 * i + swapped] = cosine * COSINE_SIGN[quarter];
    TURN[2 * i + 1 - swapped] = sine * SINE_SIGN[quarter];
  }
}
