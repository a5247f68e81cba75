/** How numbers spread. */

/** The deviation is the sample's (n − 1), 0 for one value. */
export interface Spread {
  /** How many. */
  readonly count: number;
  /** Their mean. */
  readonly mean: number;
  /** Their standard deviation. */
  readonly deviation: number;
  /** The middle one, or the mean of the two in the middle. */
  readonly median: number;
  /** The smallest. */
  readonly least: number;
  /** The largest. */
  readonly most: number;
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** The middle value, or the mean of the two in the middle; NaN for none. */
export function median(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  const middle = ordered.length / 2;
  return (ordered[Math.ceil(middle) - 1] + ordered[Math.floor(middle)]) / 2;
}

/** @throws RangeError for no values */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("Cannot tell the spread of no values: at least one was wanted.");
  const mean = sumOf(values) / values.length;
  const squares = sumOf(values.map((value) => (value - mean) ** 2));
  return {
    count: values.length,
    mean,
    deviation: values.length === 1 ? 0 : Math.sqrt(squares / (values.length - 1)),
    median: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
  };
}
