/**
 * What lib/tensor/random/wasm has in vectors, in plain loops: the same operations, so the same bits.
 *
 * Random words become normal numbers: Box and Muller 1958, as cuRAND's device API pairs the words, computed in double.
 *
 * A GPU takes logarithm, sine and cosine from approximations of its own, so that its last bits cannot be had; these are
 * right to 1e-13, which float32 does not see. The logarithm is 2·artanh of (m − 1)/(m + 1) on √½ … √2; sine and cosine
 * are Taylor's, on an eighth of the circle to either side.
 */

const CHUNK = 512;
const [RADIUS, X, Z, SINE, COSINE] = Array.from({ length: 5 }, () => new Float64Array(CHUNK));
const QUARTER = new Int32Array(CHUNK);

/** By leading zeros of a word: what brings it, half a step added, to 1 … 2, and the logarithm of that divided out. */
const SCALE = Float64Array.from({ length: 33 }, (_, zeros) => 2 ** (zeros - 31));
const LOG_SCALE = Float64Array.from({ length: 33 }, (_, zeros) => -(zeros + 1) * Math.LN2);
/** By whether it lies above √2: then half of it, so that words near the top keep their digits. */
const HALF = Float64Array.of(1, 0.5);
const LOG_HALF = Float64Array.of(0, Math.LN2);

const SINE_SIGN = Float64Array.of(1, 1, -1, -1);
const COSINE_SIGN = Float64Array.of(1, -1, -1, 1);

/** An eighth of the circle in words: added, it rounds an angle to the nearest quarter. */
const EIGHTH = 2 ** 29;
const ANGLE = 2 * Math.PI * 2 ** -32;

/**
 * Fills `sines` with √(−2 ln u)·sin θ and `cosines` with √(−2 ln u)·cos θ, where u = (word + ½)·2⁻³² of `radii` and
 * θ = 2π·(word + ½)·2⁻³² of `angles`. The half step keeps u off 0. Up to 512 of each; `cosines` may be the shorter.
 */
export function boxMullerOfWords(
  radii: Int32Array,
  angles: Int32Array,
  sines: Float32Array,
  cosines: Float32Array,
): void {
  const count = sines.length;
  radiiOf(radii, count);
  turnsOf(angles, count);
  for (let i = 0; i < count; i++) sines[i] = RADIUS[i] * SINE[i];
  for (let i = 0; i < cosines.length; i++) cosines[i] = RADIUS[i] * COSINE[i];
}

function radiiOf(words: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const word = words[i], zeros = Math.clz32(word);
    const m = ((word >>> 0) + 0.5) * SCALE[zeros];
    const above = +(m > Math.SQRT2);
    const half = m * HALF[above];
    X[i] = (half - 1) / (half + 1);
    Z[i] = LOG_SCALE[zeros] + LOG_HALF[above];
  }
  for (let i = 0; i < count; i++) {
    const x = X[i], z = x * x;
    const series = 1 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + z *
                                (1 / 15 + z * (1 / 17))))))));
    RADIUS[i] = Math.sqrt(-2 * (Z[i] + 2 * x * series));
  }
}

function turnsOf(words: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const rounded = (words[i] + EIGHTH) | 0;
    QUARTER[i] = rounded >>> 30;
    X[i] = ((rounded & 0x3fffffff) - EIGHTH + 0.5) * ANGLE; // −π/4 … π/4
  }
  for (let i = 0; i < count; i++) {
    const x = X[i], z = x * x, quarter = QUARTER[i];
    const sine = x * (1 + z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * (-1 / 39916800 + z *
                            (1 / 6227020800)))))));
    const cosine = 1 + z * (-1 / 2 + z * (1 / 24 + z * (-1 / 720 + z * (1 / 40320 + z * (-1 / 3628800 + z *
                            (1 / 479001600 + z * (-1 / 87178291200)))))));
    const swapped = quarter & 1; // in every other quarter the two change places
    SINE[i] = (swapped === 1 ? cosine : sine) * SINE_SIGN[quarter];
    COSINE[i] = (swapped === 1 ? sine : cosine) * COSINE_SIGN[quarter];
  }
}
