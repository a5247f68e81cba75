/** Files, read and written with one rule: whole or not at all, and a sentence when it cannot be. */

import { basename, dirname, join } from "node:path";
import { plain } from "./said.ts";

/** A file that is read or written once: told what was, so that it need not stay in the system's memory. */
export interface Passing extends AsyncDisposable {
  /** These bytes were read, and are not needed again. */
  read(offset: number, length: number): void;
  /** All bytes up to here are written. */
  written(end: number): Promise<void>;
}

/** Begins to look after a file. Undefined where the system has no such thing. */
export type OpenPassing = (path: string) => Passing | undefined;

export interface WriteOptions {
  /** Whether it is wanted after a power cut. Default true; what a process removes at its end need not wait for the disk. */
  readonly lasting?: boolean;
}

/**
 * Writes to a temporary name beside the target, syncs, then renames: a reader never sees half a file, and after a power
 * cut it is the old one or the new one.
 *
 * @param content all bytes, or what writes them piece by piece, to the file under its temporary name
 * @throws an error whose message is one sentence; nothing is left behind then
 */
export async function writeWhole(
  path: string,
  content: Uint8Array | ((write: (bytes: Uint8Array) => Promise<void>, temporary: string) => Promise<void>),
  { lasting = true }: WriteOptions = {},
): Promise<void> {
  // Of a long name only the beginning: the temporary one must not be too long where the name itself is not.
  const temporary = join(dirname(path), `.${basename(path).slice(0, 32)}.${crypto.randomUUID()}.incomplete`);
  let made: unknown; // what `content` threw of its own: not the disk's fault, and told as it is
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      const write = (bytes: Uint8Array) =>
        writeAll(file, bytes).catch((error) => {
          throw unwritable(path, error);
        });
      if (content instanceof Uint8Array) await write(content);
      else {
        await content(write, temporary).catch((error) => {
          made = error;
          throw error;
        });
      }
      if (lasting) await file.sync();
    }
    await (lasting ? rename : Deno.rename)(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch((removal) => {
      if (!(removal instanceof Deno.errors.NotFound)) throw removal;
    });
    throw made !== undefined && made === error ? error : unwritable(path, error);
  }
}

/** Gives a file or a folder its name, which the folder that it stands in keeps through a power cut. */
export async function rename(from: string, to: string): Promise<void> {
  await Deno.rename(from, to);
  await syncFolder(dirname(to));
}

/** What a system answers that syncs no folders: some network disks. */
const SYNCS_NONE: readonly unknown[] = ["EINVAL", "ENOTSUP", "EOPNOTSUPP"];

/**
 * Brings the names in a folder to the disk. Windows opens no folders, and a folder that may be written to and not read
 * cannot be opened either: there the names come to the disk when the system writes them.
 */
export async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) return;
    if (error instanceof Error && "code" in error && SYNCS_NONE.includes(error.code)) return;
    throw error;
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}

/** What the system's error codes mean to somebody who wanted to write. */
const WRITE_FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full. Make room, or name another folder.",
  EDQUOT: "your share of the disk is used up. Make room, or name another folder.",
  EFBIG: "it is larger than the file system or the limit of this process (ulimit -f) allows.",
  EROFS: "the disk is read-only. Name another folder.",
  EIO: "the disk answers with an error. Is it failing?",
  ENAMETOOLONG: "the name is longer than the file system allows.",
  EISDIR: "it is a folder, a file was wanted.",
  ENOTDIR: "a part of the path is a file, a folder was wanted.",
};

/** What they mean to anybody who opens a file. */
const OPEN_FAULTS: Readonly<Record<string, string>> = {
  EMFILE: "this process has too many files open (ulimit -n). Close models or notebooks, or raise the limit.",
  ENFILE: "the system has too many files open. Close other programs.",
  ELOOP: "its links lead round in a circle.",
};

/** Linux's numbers of errors to which Deno gives no name. */
const NUMBERS: Readonly<Record<string, string>> = { "5": "EIO", "27": "EFBIG", "122": "EDQUOT" };

function faultOf(error: unknown, faults: Readonly<Record<string, string>>): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const number = Deno.build.os === "linux" ? / \(os error (\d+)\)/.exec(error.message)?.[1] ?? "" : "";
  const code = "code" in error && typeof error.code === "string" ? error.code : NUMBERS[number] ?? "";
  return Object.hasOwn(faults, code) ? faults[code] : undefined;
}

/** The system's own words, as the end of a sentence. */
function inWords(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return plain(text.replace(/ \(os error \d+\).*$/s, "").replace(/[.\s]+$/, ""), 200);
}

/** One sentence for a path that could not be written. A sentence stays what it is. */
export function unwritable(path: string, error: unknown): Error {
  if (error instanceof Error && error.message.startsWith("Cannot ")) return error;
  const because = (why: string) => new Error(`Cannot write ${path}: ${why}`, { cause: error });
  const known = faultOf(error, WRITE_FAULTS) ?? faultOf(error, OPEN_FAULTS);
  if (known !== undefined) return because(known);
  if (error instanceof Deno.errors.NotFound) {
    return new Deno.errors.NotFound(`Cannot write ${path}: the folder ${dirname(path)} does not exist.`);
  }
  if (error instanceof Deno.errors.NotCapable) return notCapable("write", path);
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(`Cannot write ${path}: no permission to write there.`);
  }
  return because(`${inWords(error)}.`);
}

/** Deno's own refusal, which is not the system's. */
function notCapable(what: "read" | "write", path: string): Error {
  return new Deno.errors.NotCapable(
    `Cannot ${
      what === "read" ? "open" : "write"
    } ${path}: this process may not ${what} there (deno's --allow-${what}).`,
  );
}

/** One sentence for a path that could not be opened or read. */
export function unreadable(path: string, error: unknown): Error {
  if (error instanceof Error && error.message.startsWith("Cannot ")) return error;
  const because = (why: string) => new Error(`Cannot open ${path}: ${why}`, { cause: error });
  const known = faultOf(error, OPEN_FAULTS);
  if (known !== undefined) return because(known);
  if (error instanceof Deno.errors.NotFound) return new Deno.errors.NotFound(`Cannot open ${path}: it does not exist.`);
  if (error instanceof Deno.errors.NotCapable) return notCapable("read", path);
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(`Cannot open ${path}: no permission to read it.`);
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return new Deno.errors.IsADirectory(`Cannot open ${path}: it is a folder, a file was wanted.`);
  }
  return because(`${inWords(error)}.`);
}

/** Makes a folder and those above it. @throws an error whose message is one sentence */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new Deno.errors.NotADirectory(`Cannot write ${path}: it is a file, a folder was wanted.`);
    }
    throw unwritable(path, error);
  }
}

/** Bytes of a text file. Tokenizers' largest, a tokenizer.json, has 20 MB in other families, and 4 in this one. */
export const MAX_TEXT_BYTES = 64 * 2 ** 20;

/**
 * That a path is a file of its own bytes, before it is opened: a device never ends, and opening a pipe waits for
 * somebody to write into it.
 *
 * @returns its size
 * @throws an error whose message is one sentence
 */
export async function wantFile(path: string, most: number = Infinity): Promise<number> {
  const { isFile, isDirectory, size } = await Deno.stat(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (isDirectory) throw unreadable(path, new Deno.errors.IsADirectory());
  if (!isFile) throw new Error(`Cannot open ${path}: it is a device or a pipe, a file was wanted.`);
  if (size > most) {
    throw new RangeError(`Cannot open ${path}: it has ${size} bytes, a file of its kind has at most ${most}.`);
  }
  return size;
}

/** All bytes of a file. @throws an error whose message is one sentence */
export async function readBytes(path: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  await wantFile(path, most);
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The text of a UTF-8 file. @throws an error whose message is one sentence. */
export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path, MAX_TEXT_BYTES));
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
