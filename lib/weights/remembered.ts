/**
 * sha256 of large files, remembered from one process to the next: hashing a published checkpoint takes longer than
 * drawing a picture with it. Kept in the user's cache folder by path, size and date; deleting it costs nothing else.
 */

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { sha256 } from "./digest.ts";
import { unreadable, writeWhole } from "./files.ts";

/** Bytes below which a file is hashed in less than a tenth of a second. */
const WORTH_IT = 64 * 1024 ** 2;

const knownSchema = v.record(v.string(), v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)));

/** As `sha256`. A memory that cannot be read or written is done without: the file is hashed. */
export async function rememberedSha256(path: string, folder: string = cacheFolder()): Promise<string> {
  const { size, mtime } = await Deno.stat(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (size < WORTH_IT || mtime === null) return await sha256(path);
  const key = `${resolve(path)} ${size} ${mtime.getTime()}`;
  const memory = join(folder, "digests.json");
  const found = (await read(memory))[key];
  if (found !== undefined) return found;
  const digest = await sha256(path);
  const bytes = new TextEncoder().encode(JSON.stringify({ ...await read(memory), [key]: digest }));
  await Deno.mkdir(folder, { recursive: true }).then(() => writeWhole(memory, bytes)).catch(() => {});
  return digest;
}

function cacheFolder(): string {
  return join(Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache"), "fewstep");
}

async function read(memory: string): Promise<Readonly<Record<string, string>>> {
  try {
    return v.parse(knownSchema, JSON.parse(await Deno.readTextFile(memory)));
  } catch {
    return {};
  }
}
