/**
 * One pull at a time for a blob, among all programs of this machine.
 *
 * The operating system's own file lock, on the file that huggingface_hub locks too: it ends with the process that
 * holds it, so a crash leaves nothing to be cleared away.
 */

import { dirname } from "node:path";
import { pause } from "./patience.ts";

/** Milliseconds between looks at a lock that another holds. */
const LOOK = 100;

/** Runs with the lock held; waits for it first, until the signal says to stop. */
export async function withLock<T>(path: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  for (;;) {
    await Deno.mkdir(dirname(path), { recursive: true });
    using file = await Deno.open(path, { create: true, read: true, write: true });
    if (await file.tryLock(true)) {
      try {
        if (await isAt(file, path)) return await run();
      } finally {
        await file.unlock();
      }
    } else {
      await pause(LOOK, signal);
    }
  }
}

/** A lock file that its last holder removed in between locks out nobody. */
async function isAt(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const [held, there] = await Promise.all([file.stat(), Deno.stat(path)]);
    return held.ino === there.ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
