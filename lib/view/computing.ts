/** How a checkpoint would be computed, by device and precision, in words. */

import type { CheckpointInspection } from "../model/inspect/inspection.ts";
import type { TableRow } from "./table.ts";

type Computings = Pick<CheckpointInspection, "computing">;

/** "cpu (fp32, fp16), cuda (fp32)" */
export function computedIn({ computing }: Computings): readonly (readonly [string, string])[] {
  if (computing.length === 0) return [];
  const devices = Map.groupBy(computing.filter(({ refused }) => refused === undefined), ({ device }) => device);
  const text = [...devices].map(([device, rows]) => `${device} (${rows.map(({ precision }) => precision).join(", ")})`);
  return [["computed on", `${text.join(", ")}; --devices says how, and why`]];
}

/** Each part's lowering and precision. */
export function computingRows({ computing }: Computings): readonly TableRow[] {
  return computing.map(({ device, precision, parts }) => {
    const cells = ["text encoders", "unet", "vae"].map((name) => {
      const part = parts?.find(({ part }) => part === name);
      return [name, part === undefined ? "refused" : `${part.lowering}: ${part.precision}`] as const;
    });
    return { device, precision, ...Object.fromEntries(cells) };
  });
}

/** Why: of each lowering, of what a precision adds to it, and of what is refused. Each once. */
export function computingReasons({ computing }: Computings): readonly string[] {
  const lines = new Set<string>();
  const added = new Set<string>();
  for (const { parts = [], precision, device, refused } of computing) {
    const base = parts[0]?.why ?? "";
    if (refused !== undefined) added.add(`${precision} on ${device}: ${refused}`);
    for (const { part, lowering, why } of parts) {
      if (part === "text encoders") lines.add(`${lowering}: ${why}`);
      else if (part === "unet" && why !== base) added.add(`${part} in ${precision}: ${why.slice(base.length + 2)}`);
      else if (part === "vae" && precision !== "fp32") added.add(`${part}: ${why.slice(why.lastIndexOf("; ") + 2)}`);
    }
  }
  return [...lines, ...added];
}
