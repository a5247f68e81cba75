/**
 * Two recorded runs, compared key by key and step by step: the first thing that differs, and what most likely makes it.
 * This answers why the same seed gives another picture in another tool. Pure: it takes tensors by their names in a
 * record, from whatever file they were read.
 */

import { formatShape, type Tensor } from "../tensor/tensor.ts";
import { causeOf } from "./causes.ts";
import type { Difference, Run } from "./difference.ts";

export type { Difference, Run };

/** What two recorded runs share and where they part. */
export interface Comparison {
  /** Whether every difference lies within its tolerance. */
  readonly same: boolean;
  /** Everything that both have, in the order in which a run comes about. */
  readonly differences: readonly Difference[];
  /** The earliest that is not the same: what comes after follows from it. */
  readonly first?: Difference;
  /** One or two sentences on `first`. */
  readonly cause?: string;
  /** Names that only one of them has. */
  readonly missing: readonly string[];
}

/** How far two runs on one device may be apart in float32 without meaning anything: the kit's own promises. */
const TOLERANCES: Readonly<Record<string, number>> = {
  noise: 1e-6,
  prompt_embeds: 1e-5,
  pooled_prompt_embeds: 1e-5,
  negative_prompt_embeds: 1e-5,
  negative_pooled_prompt_embeds: 1e-5,
  timesteps: 0,
  sigmas: 1e-6,
  latents: 1e-4,
  prediction: 1e-4,
  denoised: 1e-4,
  image: 1e-3,
};

/** Names of the tensors that are compared. Anything else in a run is left alone. */
export const COMPARED: readonly string[] = Object.keys(TOLERANCES);

/** Longer runs let float32's own noise grow. */
const LONG = { steps: 8, factor: 10 };

/** What stands fixed before the first step. */
const BEFORE = COMPARED.slice(0, COMPARED.indexOf("latents"));

/** @param tolerance a factor on the kit's own tolerances: 1 for float32 against float32, some 100 for fp16. Default 1 */
export function compareRuns(a: Run, b: Run, { tolerance = 1 }: { readonly tolerance?: number } = {}): Comparison {
  const both = (key: string): [Tensor, Tensor] | undefined => {
    const [x, y] = [a.tensors.get(key), b.tensors.get(key)];
    return x && y ? [x, y] : undefined;
  };
  const steps = Math.min(...[a, b].map(({ tensors }) => (tensors.get("latents")?.shape[0] ?? 1) - 1));
  const allowed = (key: string): number =>
    TOLERANCES[key] * tolerance * (steps > LONG.steps && !BEFORE.includes(key) ? LONG.factor : 1);
  const whole = (key: string): Difference[] => {
    const pair = both(key);
    return pair ? [difference(key, undefined, pair, allowed(key))] : [];
  };
  const at = (key: string, step: number): Difference[] => {
    const pair = both(key);
    if (pair === undefined || pair.some(({ shape: [rows = 0] }) => step >= rows)) return [];
    return [difference(key, step, [pair[0].at(step), pair[1].at(step)], allowed(key))];
  };
  const differences = [...BEFORE.flatMap(whole), ...at("latents", 0)];
  for (let step = 0; step < steps; step++) {
    differences.push(...at("prediction", step), ...at("denoised", step), ...at("latents", step + 1));
  }
  differences.push(...whole("image"));

  const first = differences.find(({ same }) => !same);
  const keys = new Set([...a.tensors.keys(), ...b.tensors.keys()]);
  const missing = [...keys].filter((key) => a.tensors.has(key) !== b.tensors.has(key));
  return {
    same: first === undefined,
    differences,
    missing,
    ...(first && { first, cause: causeOf(first, a, b) }),
  };
}

function difference(key: string, step: number | undefined, [a, b]: [Tensor, Tensor], tolerance: number): Difference {
  if (formatShape(a.shape) !== formatShape(b.shape)) {
    return { key, step, relativeL2: Infinity, tolerance, same: false, worst: 0 };
  }
  let [sum, norm, worst] = [0, 0, 0];
  for (let i = 0; i < b.data.length; i++) {
    const gap = Math.abs(a.data[i] - b.data[i]);
    sum += gap ** 2;
    norm += b.data[i] ** 2;
    if (!(gap <= Math.abs(a.data[worst] - b.data[worst]))) worst = i;
  }
  const relativeL2 = sum === 0 ? 0 : Math.sqrt(sum / norm);
  return {
    key,
    step,
    relativeL2: Number.isNaN(relativeL2) ? Infinity : relativeL2,
    tolerance,
    worst,
    same: relativeL2 <= tolerance,
  };
}
