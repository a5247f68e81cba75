/** Values that several commands read. */

import type { Size } from "../model/conditioning.ts";
import { quote, UsageError } from "./args.ts";

/** torch's seeds: −2⁶³ … 2⁶⁴ − 1. */
export function seedsOf(option: string, text: string): bigint[] {
  return text.split(",").map((part) => {
    const seed = /^-?\d{1,20}$/.test(part.trim()) ? BigInt(part.trim()) : undefined;
    if (seed === undefined || seed < -(2n ** 63n) || seed >= 2n ** 64n) {
      throw new UsageError(
        `Cannot use --${option} ${quote(text)}: whole numbers of up to 64 bits were wanted, "7" or "7,8,9".`,
      );
    }
    return seed;
  });
}

export function sizeOf(option: string, text: string | undefined): Size | undefined {
  if (text === undefined) return undefined;
  const [, width, height] = /^(\d+)[x×](\d+)$/.exec(text) ?? [];
  if (width === undefined || height === undefined) {
    throw new UsageError(`Cannot use --${option} ${quote(text)}: pixels as WIDTHxHEIGHT were wanted, 1024x1024.`);
  }
  return { width: Number(width), height: Number(height) };
}
