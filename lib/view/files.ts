/** Files that are there whole or not at all. */

import { dirname } from "node:path";

/**
 * Writes beside the path under another name, then renames: a stop in between leaves what was there before.
 * Missing folders are made.
 * @throws Error with one sentence when the path cannot be written.
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.${crypto.randomUUID().slice(0, 8)}.incomplete`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(beside, bytes);
    await Deno.rename(beside, path);
  } catch (error) {
    await Deno.remove(beside).catch(() => {});
    throw new Error(`Cannot write ${path}: ${reason(error)}. Choose a file in a folder that can be written.`, {
      cause: error,
    });
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission is denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is a file, not a folder";
  if (error instanceof Deno.errors.AlreadyExists) return "a part of the path is a file, not a folder";
  return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
}
