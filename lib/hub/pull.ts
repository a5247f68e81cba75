/** Checkpoints by name: from the hub into the cache, only what is needed, only what is not there yet. */

import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { kindOf } from "../weights/files.ts";
import { RepoCache } from "./cache.ts";
import { choose } from "./choose.ts";
import { Client } from "./client.ts";
import { diskFault, formatBytes } from "./faults.ts";
import { findCached } from "./find.ts";
import { commitOf, type HubFile, listAll, listNamed } from "./listing.ts";
import { isLocal } from "./local.ts";
import { withLock } from "./lock.ts";
import type { Retry } from "./patience.ts";
import { ProgressMeter, type PullProgress } from "./progress.ts";
import { formatReference, isCommit, parseReference, pathFault, type Reference } from "./reference.ts";
import { type HubOptions, type HubSettings, hubSettings } from "./settings.ts";
import { holds, transfer } from "./transfer.ts";

/** What is brought from the hub, and how. */
export interface PullOptions extends HubOptions {
  /** Paths in the repository to bring instead of those that SDXL needs. */
  readonly files?: readonly string[];
  /** Form of a folder's weights, such as "fp16", where there is one of that name. Default: plain ones. */
  readonly variant?: string;
  /** Told now and then how far it is. */
  readonly onProgress?: (progress: PullProgress) => void;
  /** Stops within a moment; what has arrived stays for the next time. */
  readonly signal?: AbortSignal;
  /** Default: Deno's own. */
  readonly fetch?: typeof fetch;
  /** Ranges of a large file under way at once, from 1. Default 4. */
  readonly parallel?: number;
  /** Bytes of such a range; `parallel` of them are held in memory. Default 16 MiB. */
  readonly rangeBytes?: number;
  /** What a file in the cache is held against: its listed "size" (default), or also its "hash", which reads it all. */
  readonly verify?: "size" | "hash";
  /** How patiently a bad connection is borne. */
  readonly retry?: Retry;
}

export interface PulledFile {
  /** Path in the repository. */
  readonly path: string;
  readonly bytes: number;
  /** Whether it was in the cache, came whole, or was completed. */
  readonly how: "cached" | "downloaded" | "resumed";
}

export interface Pulled {
  /** The file, or the snapshot's folder. */
  readonly path: string;
  readonly commit: string | undefined;
  readonly files: readonly PulledFile[];
}

/**
 * Brings a checkpoint of the hub into the cache, and says where it lies. A path on this disk is returned as it is.
 *
 * ```ts
 * const folder = await pull("stabilityai/sdxl-turbo", { variant: "fp16" });
 * const file = await pull("ByteDance/SDXL-Lightning:sdxl_lightning_4step_unet.safetensors");
 * ```
 *
 * @param reference see `parseReference`
 * @returns the file that the reference names, else the snapshot's folder
 * @throws Error, one sentence; the signal's reason when it stops the pull
 */
export async function pull(reference: string, options: PullOptions = {}): Promise<string> {
  return (await pullFiles(reference, options)).path;
}

/** As `pull`, with an account of each file. */
export async function pullFiles(text: string, options: PullOptions = {}): Promise<Pulled> {
  if (await isLocal(text)) return { path: text, commit: undefined, files: [] };
  const settings = hubSettings(options);
  const reference = parseReference(text, settings);
  const names = namesOf(reference, options);
  if (settings.offline) {
    const { path, commit } = await findCached(reference, settings, names);
    return { path, commit, files: [] };
  }
  const cache = new RepoCache(settings.cache, reference);
  const known = await pinned(cache, reference, names, options);
  if (known !== undefined) return known;

  const signal = options.signal ?? new AbortController().signal;
  const client = new Client({
    endpoint: settings.endpoint,
    token: await settings.token(),
    fetch: options.fetch ?? fetch,
    retry: options.retry ?? {},
    signal,
  });
  const commit = await commitOf(client, reference);
  const files = await wantedFiles(client, reference, commit, names, options.variant);
  const pulled = await bringAll(client, { reference, commit, files, cache, settings, options, signal });
  return { path: pathOf(cache, reference, commit), commit, files: pulled };
}

function pathOf(cache: RepoCache, { file }: Reference, commit: string): string {
  return file === undefined ? cache.snapshot(commit) : join(cache.snapshot(commit), file);
}

/** The files that are asked for by name. @throws SyntaxError for a name that is no path in a repository */
function namesOf(reference: Reference, { files = [], variant }: PullOptions): readonly string[] {
  const what = `Cannot pull ${formatReference(reference)}`;
  if (variant !== undefined && !/^[A-Za-z0-9_]+$/.test(variant)) {
    throw new SyntaxError(`${what}: ${JSON.stringify(variant)} is no variant; fp16 is one.`);
  }
  for (const name of files) {
    const fault = pathFault(name);
    if (fault !== undefined) throw new SyntaxError(`${what}: ${fault}. Wanted are paths in the repository.`);
  }
  return [...new Set(reference.file === undefined ? files : [reference.file, ...files])];
}

/** Named files of a commit, all there: nothing can have changed, nobody needs to be asked. */
async function pinned(
  cache: RepoCache,
  reference: Reference,
  names: readonly string[],
  { verify }: PullOptions,
): Promise<Pulled | undefined> {
  const commit = reference.revision;
  if (!isCommit(commit) || names.length === 0 || verify === "hash") return undefined;
  const files: PulledFile[] = [];
  for (const name of names) {
    const path = join(cache.snapshot(commit), name);
    if (await kindOf(path) !== "file") return undefined;
    files.push({ path: name, bytes: (await Deno.stat(path)).size, how: "cached" });
  }
  return { path: pathOf(cache, reference, commit), commit, files };
}

async function wantedFiles(
  client: Client,
  reference: Reference,
  commit: string,
  names: readonly string[],
  variant: string | undefined,
): Promise<readonly HubFile[]> {
  if (names.length > 0) return await listNamed(client, reference, commit, names);
  const all = await listAll(client, reference, commit);
  const choice = choose(all.map(({ path }) => path), variant);
  if ("fault" in choice) throw new Error(`Cannot pull ${formatReference(reference)}: ${choice.fault}.`);
  const chosen = new Set(choice.files);
  return all.filter(({ path }) => chosen.has(path));
}

interface Work {
  readonly reference: Reference;
  readonly commit: string;
  readonly files: readonly HubFile[];
  readonly cache: RepoCache;
  readonly settings: HubSettings;
  readonly options: PullOptions;
  readonly signal: AbortSignal;
}

async function bringAll(client: Client, work: Work): Promise<PulledFile[]> {
  const { reference, commit, files, cache, options, signal } = work;
  const what = `pull ${formatReference(reference)}`;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const meter = new ProgressMeter({ files: files.length, bytes }, (progress) => options.onProgress?.(progress));
  const pulled: PulledFile[] = [];
  try {
    await wantRoom(what, work);
    for (const file of files) {
      signal.throwIfAborted();
      meter.begin(file.path);
      pulled.push({ path: file.path, bytes: file.size, how: await bring(client, file, work, meter) });
      meter.end(file.size);
    }
    // Last, so that a reference goes on to mean what was whole before until the new snapshot is whole.
    await cache.rememberCommit(reference.revision, commit);
  } catch (error) {
    if (isSystemError(error)) throw diskFault(what, cache.folder, error);
    throw error;
  }
  return pulled;
}

/** From the operating system, which tells a code in letters. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

async function bring(client: Client, file: HubFile, work: Work, meter: ProgressMeter): Promise<PulledFile["how"]> {
  const { reference, commit, cache, options: { parallel = 4, rangeBytes = 16 * 2 ** 20, verify }, signal } = work;
  const { hex } = file.hash;
  const blob = cache.blob(hex);
  const link = join(cache.snapshot(commit), file.path);
  const whole = async (path: string) =>
    await hasSize(path, file.size) && (verify !== "hash" || await holds(path, file, signal));
  if (await whole(link)) return "cached";
  return await withLock(cache.lock(hex), signal, async () => {
    await Deno.mkdir(join(cache.folder, "blobs"), { recursive: true });
    let how: PulledFile["how"] = "cached";
    if (!await whole(blob)) {
      const left = await transfer(client, {
        reference,
        commit,
        file,
        blob,
        lanes: { bytes: rangeBytes, count: Math.max(1, parallel) },
        signal,
        onBytes: (have, arrived) => meter.advance(have, arrived),
      });
      how = left > 0 ? "resumed" : "downloaded";
    }
    await cache.place(commit, file.path, hex);
    return how;
  });
}

async function hasSize(path: string, size: number): Promise<boolean> {
  return await kindOf(path) === "file" && (await Deno.stat(path)).size === size;
}

/** @throws Error, one sentence, when the disk cannot hold what is still to come */
async function wantRoom(what: string, { files, cache, settings }: Work): Promise<void> {
  let missing = 0;
  for (const { hash, size } of files) {
    const blob = cache.blob(hash.hex);
    if (await hasSize(blob, size)) continue;
    const incomplete = `${blob}.incomplete`;
    const left = await kindOf(incomplete) === "file" ? (await Deno.stat(incomplete)).size : 0;
    missing += Math.max(0, size - left);
  }
  if (missing === 0) return;
  await Deno.mkdir(settings.cache, { recursive: true });
  const free = await freeBytes(settings.cache);
  if (missing > free) {
    throw new Error(
      `Cannot ${what}: ${formatBytes(missing)} are still to come, the disk of ${settings.cache} has ` +
        `${formatBytes(free)} free. HF_HUB_CACHE names another cache.`,
    );
  }
}

async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    // Who may not ask finds out by writing.
    if (error instanceof Deno.errors.NotCapable) return Infinity;
    throw error;
  }
}
