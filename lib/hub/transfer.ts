/**
 * A file from the hub to the cache: into `<blob>.incomplete`, from where it was left, checked, then renamed.
 *
 * Written here, as `@huggingface/hub`'s own download into the cache begins anew after each cut, cannot be stopped, and
 * renames what has come without a look at its size or its hash.
 */

import { createHash, type Hash } from "node:crypto";
import { rename } from "../weights/files.ts";
import type { Client } from "./client.ts";
import { diskFault } from "./faults.ts";
import type { HubFile } from "./listing.ts";
import { inOrder, type Lanes, NoRanges, Source } from "./ranges.ts";
import { formatReference, type Reference } from "./reference.ts";

export interface TransferOptions {
  readonly reference: Reference;
  readonly commit: string;
  readonly file: HubFile;
  /** Where the file is to lie. */
  readonly blob: string;
  readonly lanes: Lanes;
  readonly signal: AbortSignal;
  /** Told how many bytes are on the disk, and how many of them came over the network just now. */
  readonly onBytes: (have: number, arrived: number) => void;
}

/**
 * Brings a file. The caller holds the lock of its blob.
 *
 * @returns bytes that an earlier pull had left, and that are used
 * @throws Error, one sentence; the signal's reason. Either way what has arrived stays for the next time, unless it is
 * wrong.
 */
export async function transfer(client: Client, options: TransferOptions): Promise<number> {
  const { file, blob, reference } = options;
  const what = `pull ${formatReference({ ...reference, file: file.path })}`;
  const incomplete = `${blob}.incomplete`;
  const disk: Disk = (work) => onDisk(what, incomplete, work);
  const { left, digest } = await fill(client, incomplete, options, disk);
  if (digest !== file.hash.hex) {
    await disk(() => Deno.remove(incomplete));
    throw new Error(
      `Cannot ${what}: what arrived has the ${file.hash.kind === "git" ? "git hash" : "sha256"} ` +
        `${digest.slice(0, 12)}…, the hub lists ${file.hash.hex.slice(0, 12)}…. It is thrown away.`,
    );
  }
  await disk(() => rename(incomplete, blob));
  return left;
}

/** Brings what is missing, and tells the hash of all. The file is closed again: Windows renames no open one. */
async function fill(
  client: Client,
  incomplete: string,
  options: TransferOptions,
  disk: Disk,
): Promise<{ left: number; digest: string }> {
  const { file } = options;
  using target = await disk(() => Deno.open(incomplete, { create: true, read: true, write: true }));
  let { size: left } = await disk(() => target.stat());
  let digest = await append(client, target, left, options, disk);
  if (digest !== file.hash.hex && left > 0) {
    // What an earlier pull left was not this file's beginning, or is longer than it: once more, from nothing.
    await disk(() => target.truncate(0));
    left = 0;
    digest = await append(client, target, left, options, disk);
  }
  await disk(() => target.sync());
  return { left, digest };
}

type Disk = <T>(work: () => Promise<T>) => Promise<T>;

async function onDisk<T>(what: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskFault(what, path, error);
  }
}

/** Hashes what is there, writes and hashes what is missing. Returns the hash of all. */
async function append(
  client: Client,
  target: Deno.FsFile,
  left: number,
  { reference, commit, file, lanes, signal, onBytes }: TransferOptions,
  disk: Disk,
): Promise<string> {
  const hash = hashOf(file);
  await disk(() => hashPrefix(target, hash, signal));
  let have = left;
  onBytes(have, 0);
  const write = async (pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>) => {
    for await (const piece of pieces) {
      await disk(() => writeAll(target, piece));
      hash.update(piece);
      have += piece.length;
      onBytes(have, piece.length);
    }
  };
  const source = new Source(client, reference, commit, file);
  try {
    await write(inOrder(source, have, file.size, lanes, signal));
  } catch (error) {
    if (!(error instanceof NoRanges)) throw error;
    await write(source.rest(have, signal));
  }
  return hash.digest("hex");
}

/** git hashes a header and the bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects */
function hashOf({ size, hash: { kind } }: HubFile): Hash {
  return kind === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

async function hashPrefix(file: Deno.FsFile, hash: Hash, signal: AbortSignal): Promise<void> {
  const buffer = new Uint8Array(2 ** 20);
  await file.seek(0, Deno.SeekMode.Start);
  for (let read = await file.read(buffer); read !== null; read = await file.read(buffer)) {
    if (signal.aborted) return; // the transfer that follows ends with the signal's reason
    hash.update(buffer.subarray(0, read));
  }
}

/** Whether a file on the disk is, byte for byte, what the hub lists. */
export async function holds(path: string, file: HubFile, signal: AbortSignal): Promise<boolean> {
  using opened = await Deno.open(path);
  const hash = hashOf(file);
  await hashPrefix(opened, hash, signal);
  signal.throwIfAborted();
  return hash.digest("hex") === file.hash.hex;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}
