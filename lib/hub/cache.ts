/**
 * The cache that all of the hub's tools share.
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 *
 * ```
 * models--org--name/
 *   blobs/<hash>                       the bytes, once
 *   snapshots/<commit>/path/in/repo    a link to its blob
 *   refs/<branch or tag>               the commit that it meant when it was last asked for
 * .locks/models--org--name/<hash>.lock
 * ```
 */

import { dirname, join, relative } from "node:path";
import { kindOf, writeWhole } from "../weights/files.ts";
import { isCommit, type Reference } from "./reference.ts";

export class RepoCache {
  readonly #cache: string;
  readonly #name: string;

  constructor(cache: string, { repo }: Reference) {
    this.#cache = cache;
    this.#name = `models--${repo.replace("/", "--")}`;
  }

  get folder(): string {
    return join(this.#cache, this.#name);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(hex: string): string {
    return join(this.folder, "blobs", hex);
  }

  lock(hex: string): string {
    return join(this.#cache, ".locks", this.#name, `${hex}.lock`);
  }

  /** The commit that the revision meant when it was last asked for. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const path = join(this.folder, "refs", revision);
    if (await kindOf(path) !== "file") return undefined;
    const commit = (await Deno.readTextFile(path)).trim();
    return isCommit(commit) ? commit : undefined;
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || await this.commitOf(revision) === commit) return;
    const path = join(this.folder, "refs", revision);
    await Deno.mkdir(dirname(path), { recursive: true });
    await writeWhole(path, new TextEncoder().encode(commit));
  }

  /** Paths of the files of a snapshot, links to lost blobs left out. */
  async files(commit: string): Promise<string[]> {
    const root = this.snapshot(commit);
    const found: string[] = [];
    const walk = async (folder: string) => {
      for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
        const path = folder === "" ? name : `${folder}/${name}`;
        if (isDirectory) await walk(path);
        else if (await kindOf(join(root, path)) === "file") found.push(path);
      }
    };
    if (await kindOf(root) === "folder") await walk("");
    return found.sort();
  }

  /** Makes a blob appear in a snapshot. */
  async place(commit: string, path: string, hex: string): Promise<void> {
    const link = join(this.snapshot(commit), path);
    await Deno.mkdir(dirname(link), { recursive: true });
    await removeIfThere(link);
    await place(this.blob(hex), link);
  }
}

type Way = (blob: string, link: string) => Promise<void>;

/** Relative, so that a cache may be moved. */
const symbolic: Way = (blob, link) => Deno.symlink(relative(dirname(link), blob), link);

/**
 * A link where the file system has links; Windows wants a privilege for symbolic ones. Without any the blob itself
 * moves there, as huggingface_hub does.
 */
export async function place(
  blob: string,
  link: string,
  ways: readonly Way[] = [symbolic, Deno.link, Deno.rename],
): Promise<void> {
  const [way, ...others] = ways;
  try {
    await way(blob, link);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return; // another program was faster, with the same blob
    if (others.length === 0) throw error;
    await place(blob, link, others);
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
