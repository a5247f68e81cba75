/** Two runs in files, compared: records of the kit, or what another tool's run was dumped into under the same names. */

import { basename } from "node:path";
import * as v from "valibot";
import { COMPARED, compareRuns, type Comparison, type Run } from "../diffusion/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { openSafetensors, readTensor } from "../weights/safetensors.ts";

/** What counts as equal. */
export interface DiffOptions {
  /** A factor on the kit's own tolerances: 1 (default) for float32 against float32, some 100 against fp16. */
  readonly tolerance?: number;
}

/** Seeds as the kit's records write them, and as other tools' scripts may. */
const seeds = v.looseObject({
  request: v.looseObject({
    seed: v.array(v.union([v.pipe(v.string(), v.regex(/^-?\d+$/)), v.pipe(v.number(), v.safeInteger())])),
  }),
});

/**
 * Names the first thing in which two runs differ, and what most likely makes it.
 *
 * @param ours a .safetensors file with any of a record's tensors; `theirs` likewise
 * @throws an error whose message is one sentence when a file cannot be read, or holds no run
 */
export async function diff(ours: string, theirs: string, options: DiffOptions = {}): Promise<Comparison> {
  return compareRuns(await readRun(ours), await readRun(theirs), options);
}

async function readRun(path: string): Promise<Run> {
  const file = await openSafetensors(path);
  const tensors = new Map<string, Tensor>();
  for (const name of COMPARED) if (file.tensors.has(name)) tensors.set(name, await readTensor(file, name));
  if (!tensors.has("latents") && !tensors.has("noise")) {
    throw new SyntaxError(
      `Cannot compare ${path}: it holds no run; wanted are tensors named as in a record, at least noise or latents.`,
    );
  }
  return { name: basename(path), tensors, seeds: seedsIn(file.metadata.get("fewstep")) };
}

/** Seeds are a help to the guess, not a part of the run: what is not understood is left out. */
function seedsIn(metadata: string | undefined): readonly bigint[] | undefined {
  if (metadata === undefined) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), seeds), metadata);
  return parsed.success ? parsed.output.request.seed.map(BigInt) : undefined;
}
