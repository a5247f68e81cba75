/** What names a file by its content: sha256, as model hubs publish it. */

import { createHash } from "node:crypto";
import { unreadable } from "./files.ts";

const known = new Map<string, string>();

/** sha256 of a file in lower-case hex. Read once a process, unless size or date of the file changed. */
export async function sha256(path: string): Promise<string> {
  try {
    const { size, mtime } = await Deno.stat(path);
    const key = `${path} ${size} ${mtime?.getTime()}`;
    const digest = known.get(key) ?? await hash(path);
    known.set(key, digest);
    return digest;
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function hash(path: string): Promise<string> {
  const sha = createHash("sha256");
  using file = await Deno.open(path);
  for await (const chunk of file.readable) sha.update(chunk);
  return sha.digest("hex");
}
