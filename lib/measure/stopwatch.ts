/** Time that something takes, told so that it can be trusted: warmed up, repeated, with its spread. */

import { median } from "./spread.ts";

/** Of repeated measurements, in their unit. */
export interface Spread {
  /** Other work on a machine only ever adds: the least is what the thing itself takes. */
  readonly min: number;
  /** Of an even number, the mean of the two in the middle. */
  readonly median: number;
  /** How much other work disturbed the worst one. */
  readonly max: number;
}

/** @throws RangeError where there is nothing to spread */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("Cannot take the spread of no values.");
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

/** Milliseconds of wall time that something takes. */
export async function time(run: () => unknown): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

/** How often something is run to be timed. */
export interface Repetition {
  /** Times that count. Default 5, the fewest whose median stands two disturbances. */
  readonly repeats?: number;
  /** Runs before, which load, compile and fill caches. Default 1. */
  readonly warmups?: number;
  /** Ends it between two runs, or within one that listens to it. */
  readonly signal?: AbortSignal;
}

/**
 * What each of several runs gave, after the warm-ups.
 *
 * @throws RangeError when nothing would be measured; the reason of `signal` when it was aborted
 */
export async function repeat<T>(
  run: () => Promise<T>,
  { repeats = 5, warmups = 1, signal }: Repetition = {},
): Promise<readonly T[]> {
  for (const [name, count, least] of [["repeats", repeats, 1], ["warmups", warmups, 0]] as const) {
    if (!Number.isInteger(count) || count < least) {
      throw new RangeError(`Cannot measure with ${name} ${count}: wanted is a whole number from ${least}.`);
    }
  }
  const results: T[] = [];
  for (let i = 0; i < warmups + repeats; i++) {
    signal?.throwIfAborted();
    const result = await run();
    if (i >= warmups) results.push(result);
  }
  return results;
}
