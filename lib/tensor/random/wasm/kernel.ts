/**
 * Philox's words and the normal numbers that they become, in WebAssembly's vectors: several times as fast as loops of
 * JavaScript. The text of the module is normals.wat; its binary is committed, and compiled when the first is drawn.
 *
 * Box and Muller 1958, as cuRAND's device API pairs the words, computed in double: √(−2 ln u)·sin θ and
 * √(−2 ln u)·cos θ, where u = (word + ½)·2⁻³² of the first array and θ = 2π·(word + ½)·2⁻³² of the second. The half step
 * keeps u off 0. A GPU takes logarithm, sine and cosine from approximations of its own, so that its last bits cannot be
 * had; these are right to 1e-13, which float32 does not see. The logarithm is 2·artanh of (m − 1)/(m + 1) on √½ … √2;
 * sine and cosine are Taylor's, on an eighth of the circle to either side.
 */

import { NORMALS } from "./normals.ts";

/** Entries of each array. */
export const CAPACITY = 1024;

export interface Kernel {
  /** Four arrays: counters before `philox`, random words after it. Signed: what counts are the 32 bits. */
  readonly words: readonly Int32Array[];
  /** Four arrays, the last draw's until the next. */
  readonly normals: readonly Float32Array[];
  /** Ten rounds on the first `count` entries of the words, rounded up to four. */
  philox(count: number, keyLow: number, keyHigh: number): void;
  /** The first `count` words of arrays 0 and 1 become normals 0 and 1; with pair 2 those of 2 and 3 normals 2 and 3. */
  boxMuller(count: number, pair: 0 | 2): void;
}

let loaded: Kernel | undefined;

export function kernel(): Kernel {
  return loaded ??= load();
}

const [WORDS_AT, NORMALS_AT, CONSTANTS_AT, ARRAY_BYTES] = [0, 16384, 32768, 4 * CAPACITY];

/** What normals.wat reads by place: a load takes one instruction, a constant of its own four. */
const CONSTANTS = [
  ...[17, 15, 13, 11, 9, 7, 5, 3, 1].map((k) => 1 / k), // artanh's series
  ...[1 / 6227020800, -1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6], // the sine's
  ...[-1 / 87178291200, 1 / 479001600, -1 / 3628800, 1 / 40320, -1 / 720, 1 / 24, -1 / 2], // the cosine's
  1 / 2,
  Math.LN2,
  2 ** 52 + 1023 + 32, // where a float64's exponent stands for 2⁻³²
  Math.SQRT2,
  -2,
  2,
  2 * Math.PI * 2 ** -32, // the angle of a word
];

function load(): Kernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(NORMALS)));
  const { memory, philox, normals } = exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof philox !== "function" || typeof normals !== "function") {
    throw new TypeError("Cannot load the random numbers' WebAssembly: it lacks an export. Run deno task wasm.");
  }
  const { buffer } = memory;
  new Float64Array(buffer, CONSTANTS_AT).set(CONSTANTS);
  const arrays = [0, 1, 2, 3];
  return {
    words: arrays.map((i) => new Int32Array(buffer, WORDS_AT + i * ARRAY_BYTES, CAPACITY)),
    normals: arrays.map((i) => new Float32Array(buffer, NORMALS_AT + i * ARRAY_BYTES, CAPACITY)),
    philox: (count, keyLow, keyHigh) => void philox(count, keyLow, keyHigh),
    boxMuller: (count, pair) => void normals(count, WORDS_AT + pair * ARRAY_BYTES, NORMALS_AT + pair * ARRAY_BYTES),
  };
}
