/** What tests say: equal, close, refused in one sentence. `node:assert` beneath. */

import assert from "node:assert/strict";

export function equal<T>(actual: T, expected: T, message?: string): void {
  assert.deepStrictEqual(actual, expected, message);
}

export function ok(condition: boolean, message: string): void {
  assert.ok(condition, message);
}

type Numbers = ArrayLike<number>;

/** ‖a − b‖ / ‖b‖, in double. 0 where both are 0. */
export function relativeL2(actual: Numbers, expected: Numbers): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

/** All of two arrays within a relative L2 of each other. Says where the worst value is when they are not. */
export function close(actual: Numbers, expected: Numbers, tolerance: number, what = "values"): void {
  equal(actual.length, expected.length, `${what}: ${actual.length} values, wanted ${expected.length}`);
  const error = relativeL2(actual, expected);
  if (error <= tolerance) return; // NaN is not
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(actual[i] - expected[i]);
    if (!(gap <= Math.abs(actual[worst] - expected[worst]))) worst = i;
  }
  assert.fail(
    `${what}: relative L2 ${error.toExponential(2)}, allowed ${tolerance}; ` +
      `worst at ${worst}: ${actual[worst]}, wanted ${expected[worst]}`,
  );
}

/** Each value within `tolerance` of its counterpart, relative to the larger of 1 and that. */
export function closeEach(actual: Numbers, expected: Numbers, tolerance: number, what = "values"): void {
  equal(actual.length, expected.length, `${what}: ${actual.length} values, wanted ${expected.length}`);
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    if (!(gap <= tolerance)) {
      assert.fail(`${what}[${i}]: ${actual[i]}, wanted ${expected[i]} (off by ${gap.toExponential(2)})`);
    }
  }
}

/** Thrown by `run`, on one line, matching `pattern`: a user's mistake needs no stack trace to be understood. */
export async function throwsSentence(run: () => unknown, pattern: RegExp | string): Promise<void> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof Error)) assert.fail(`nothing was thrown; wanted ${pattern}`);
  const { message } = error;
  if (typeof pattern === "string") equal(message, pattern);
  else assert.match(message, pattern);
  assert.match(message, /^[^\n]*[.?]$/, "one line, ended like a sentence");
}
