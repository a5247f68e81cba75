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

/** Read at once: by the 64 KB of a stream, a file of some gigabytes takes five times as long. */
const BLOCK = 8 * 2 ** 20;

async function hash(path: string): Promise<string> {
  const sha = createHash("sha256");
  using file = await Deno.open(path);
  const blocks = [new Uint8Array(BLOCK), new Uint8Array(BLOCK)];
  for (let turn = 0, reading = file.read(blocks[0]);; turn = 1 - turn) {
    const length = await reading;
    if (length === null) return sha.digest("hex");
    reading = file.read(blocks[1 - turn]); // while this one is hashed
    sha.update(blocks[turn].subarray(0, length));
  }
}
