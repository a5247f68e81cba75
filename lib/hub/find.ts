/** What the cache holds, without any network. */

import { join } from "node:path";
import * as v from "valibot";
import { readConfig } from "../weights/config.ts";
import { RepoCache } from "./cache.ts";
import { choose, missingParts } from "./choose.ts";
import { formatReference, type Reference } from "./reference.ts";
import type { HubSettings } from "./settings.ts";

export interface Found {
  /** The file that the reference names, else the snapshot's folder. */
  readonly path: string;
  readonly commit: string;
}

/** @throws NotFound, one sentence: what is missing, and the command that brings it */
export async function findCached(
  reference: Reference,
  { cache: root, offline }: HubSettings,
  names: readonly string[] = reference.file === undefined ? [] : [reference.file],
): Promise<Found> {
  const missing = (what: string) =>
    new Deno.errors.NotFound(
      `Cannot open ${formatReference(reference)}: ${what} (${root}). ` +
        `${offline ? "When no longer offline, " : ""}deno task pull ${
          shellWord(formatReference(reference))
        } brings it.`,
    );
  const cache = new RepoCache(root, reference);
  const commit = await cache.commitOf(reference.revision);
  if (commit === undefined) throw missing("it is not in the cache");
  const there = await cache.files(commit);
  const absent = names.filter((name) => !there.includes(name));
  if (there.length === 0) throw missing("it is not in the cache");
  if (absent.length > 0) throw missing(`${absent.join(", ")} is not in the cache`);
  if (names.length === 0) {
    const fault = await partly(cache.snapshot(commit), there);
    if (fault !== undefined) throw missing(`it is in the cache only in part: ${fault}`);
  }
  const folder = cache.snapshot(commit);
  return { path: reference.file === undefined ? folder : join(folder, reference.file), commit };
}

/** What a snapshot lacks; undefined where it is whole. */
async function partly(folder: string, there: readonly string[]): Promise<string | undefined> {
  if (!there.includes("model_index.json")) {
    const choice = choose(there);
    return "fault" in choice ? choice.fault : undefined;
  }
  const index = await readConfig(join(folder, "model_index.json"), v.record(v.string(), v.unknown()));
  const missing = missingParts(index, there);
  return missing.length === 0 ? undefined : `${missing.join(", ")} missing`;
}

/** Quoted where a shell would read it as more than a word. */
function shellWord(text: string): string {
  return /^[\w.,/:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
