/** Files, read and written with one rule: whole or not at all, and a sentence when it cannot be. */

import { basename, dirname, join } from "node:path";

/**
 * Writes to a temporary name beside the target, syncs, then renames: a reader never sees half a file.
 *
 * @param content all bytes, or what writes them piece by piece
 * @throws an error whose message is one sentence; nothing is left behind then
 */
export async function writeWhole(
  path: string,
  content: Uint8Array | ((write: (bytes: Uint8Array) => Promise<void>) => Promise<void>),
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}.incomplete`);
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      const write = (bytes: Uint8Array) => writeAll(file, bytes);
      if (content instanceof Uint8Array) await write(content);
      else await content(write);
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch((removal) => {
      if (!(removal instanceof Deno.errors.NotFound)) throw removal;
    });
    throw unwritable(path, error);
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}

function unwritable(path: string, error: unknown): Error {
  if (error instanceof Deno.errors.NotFound) {
    return new Deno.errors.NotFound(`Cannot write ${path}: the folder ${dirname(path)} does not exist.`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(`Cannot write ${path}: no permission to write there.`);
  }
  return error instanceof Error
    ? new Error(`Cannot write ${path}: ${error.message}`)
    : new Error(`Cannot write ${path}.`);
}

/** One sentence for a path that could not be opened or read. */
export function unreadable(path: string, error: unknown): Error {
  if (error instanceof Deno.errors.NotFound) return new Deno.errors.NotFound(`Cannot open ${path}: it does not exist.`);
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(`Cannot open ${path}: no permission to read it.`);
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return new Deno.errors.IsADirectory(`Cannot open ${path}: it is a folder, a file was wanted.`);
  }
  return error instanceof Error
    ? new Error(`Cannot open ${path}: ${error.message}`)
    : new Error(`Cannot open ${path}.`);
}

/** The text of a UTF-8 file. @throws an error whose message is one sentence. */
export async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

export type PathKind = "file" | "folder" | "nothing";

export async function kindOf(path: string): Promise<PathKind> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return isFile ? "file" : isDirectory ? "folder" : "nothing";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return "nothing";
    throw unreadable(path, error);
  }
}
