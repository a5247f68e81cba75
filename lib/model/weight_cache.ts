/**
 * Weights in another form than they were published in, made at first use and kept in a file that is named by the content
 * of the weights it was made of.
 */

import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { formatShape } from "../tensor/tensor.ts";
import { sha256 } from "../weights/digest.ts";
import { kindOf, makeFolder } from "../weights/files.ts";
import {
  openSafetensors,
  type PlannedTensor,
  type SafetensorsFile,
  streamSafetensors,
} from "../weights/safetensors.ts";
import type { WeightRef } from "../weights/weights.ts";

/** A form that weights are kept in. */
export interface Form {
  /** Everything that decides what is made of a weight: another value is another file. */
  readonly version: readonly (string | number)[];
  /** The tensors that a weight becomes. */
  planned(ref: WeightRef): readonly PlannedTensor[];
  /** Their bytes, in that order. @throws RangeError for a weight that has no such form, with its name */
  make(ref: WeightRef): Promise<readonly Uint8Array<ArrayBuffer>[]>;
}

/** `$XDG_CACHE_HOME/fewstep/KIND`, by default in `~/.cache`. */
export function cacheFolder(kind: string): string {
  return join(Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache"), "fewstep", kind);
}

/** The file of these weights in that form: found in the folder, or made there, one weight in memory at a time. */
export async function inForm(form: Form, refs: readonly WeightRef[], folder: string): Promise<SafetensorsFile> {
  const planned = refs.flatMap((ref) => form.planned(ref));
  const path = join(folder, `${await nameOf(form, refs)}.safetensors`);
  const kept = await openKept(path, planned);
  if (kept !== undefined) return kept;
  await makeFolder(folder);
  const remaining = refs.values();
  let made: readonly Uint8Array<ArrayBuffer>[] = [];
  await streamSafetensors(path, planned, async ({ name }) => {
    if (made.length === 0) {
      const { value: ref } = remaining.next();
      if (ref === undefined) throw new RangeError("Cannot convert weights: more tensors were planned than given.");
      made = await form.make(ref);
    }
    const [bytes, ...rest] = made;
    if (bytes === undefined) throw new RangeError(`Cannot convert weights: nothing was made for "${name}".`);
    made = rest;
    return bytes;
  });
  return await openSafetensors(await Deno.realPath(path));
}

/** A tensor of a file of the cache. */
export function refIn(file: SafetensorsFile, name: string): WeightRef {
  const entry = file.tensors.get(name);
  if (entry === undefined) throw new RangeError(`Cannot use ${file.path}: it has no tensor "${name}".`);
  return { ...entry, key: name, file: file.path };
}

/** By what the weights hold and what is made of them, not by where they lie: a copy of a file finds the same. */
async function nameOf({ version }: Form, refs: readonly WeightRef[]): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(version));
  for (const file of [...new Set(refs.map(({ file }) => file))]) {
    const places = refs.filter((ref) => ref.file === file)
      .map(({ key, dtype, shape, offset, transposed }) => [key, dtype, shape, offset, transposed ?? false]);
    hash.update(JSON.stringify([await sha256(file), places]));
  }
  return hash.digest("hex");
}

/** A file of the cache, or nothing where it is missing or not what was written there. */
async function openKept(path: string, planned: readonly PlannedTensor[]): Promise<SafetensorsFile | undefined> {
  if (await kindOf(path) !== "file") return undefined;
  let file: SafetensorsFile;
  try {
    file = await openSafetensors(await Deno.realPath(path));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut off or overwritten: it is made anew
    throw error;
  }
  const whole = planned.every(({ name, dtype, shape }) => {
    const entry = file.tensors.get(name);
    return entry?.dtype === dtype && formatShape(entry.shape) === formatShape(shape);
  });
  return whole ? file : undefined;
}
