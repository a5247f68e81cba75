/** Numbers as people read them: significant digits, and how values spread. */

/** How values spread, in the column's unit. */
export interface Spread {
  /** How many values. */
  readonly count: number;
  /** Half lie below it. */
  readonly median: number;
  /** The smallest value. */
  readonly least: number;
  /** The largest value. */
  readonly most: number;
}

export function isSpread(value: unknown): value is Spread {
  return typeof value === "object" && value !== null && "median" in value && "least" in value && "most" in value;
}

/** Decimals that show a value with so many significant digits: 2 for 1.80, 1 for 13.2, 0 for 1234. */
export function decimalsFor(value: number, digits: number): number {
  if (value === 0 || !Number.isFinite(value)) return 0;
  const decimals = (value: number) => Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return decimals(Number(value.toFixed(Math.min(20, decimals(value))))); // 9.996 is 10.0, not 10.00
}

/** "13.2", "0.0840", "1,234": never an exponent; whole numbers keep all their digits. */
export function formatNumber(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const fixed = value.toLocaleString("en", {
    minimumFractionDigits: Math.min(20, decimals),
    maximumFractionDigits: Math.min(20, decimals),
  });
  return fixed.replace("-", "−");
}

/**
 * A median with the least and most beside it in the same decimals, "0.84 [0.80, 0.91]"; a single value alone.
 * @param digits significant digits of the median
 */
export function formatSpread({ count, median, least, most }: Spread, digits: number): string {
  const decimals = decimalsFor(median, digits);
  const [middle, low, high] = [median, least, most].map((value) => formatNumber(value, decimals));
  return count < 2 || (low === middle && high === middle) ? middle : `${middle} [${low}, ${high}]`;
}

/** A mapped spread: other units, for example. `scale` is positive. */
export function scaled({ count, median, least, most }: Spread, scale: number): Spread {
  return { count, median: median * scale, least: least * scale, most: most * scale };
}
