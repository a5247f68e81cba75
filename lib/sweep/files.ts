/**
 * The files of finished cells: pictures, latents and records, named by the hash of what they hold. A name is there only
 * with all of its file behind it, so that two writers of one file cannot harm each other, and a killed one leaves none.
 */

import { join } from "node:path";
import type { Tensor } from "../tensor/tensor.ts";
import { sha256 } from "../weights/digest.ts";
import { kindOf, makeFolder, rename, writeWhole } from "../weights/files.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import type { Result } from "./cell.ts";
import { digestOf } from "./content.ts";
import type { Row } from "./schema.ts";

/** What running a cell gave, before it is stored. */
export interface Made extends Omit<Result, "picture" | "latent" | "record" | "latentDigest"> {
  /** A PNG. */
  readonly png: Uint8Array;
  /** The last latent, `[1, 4, height/8, width/8]`. */
  readonly lastLatent: Tensor;
  /** Writes the run as a record to a path; left out where none is kept. */
  readonly writeRecord?: (path: string) => Promise<void>;
}

/** What is left to tell of a cell once its files are stored: plain data, a few hundred bytes. */
export type Receipt = Omit<Row, "key">;

export const FOLDERS = { picture: "pictures", latent: "latents", record: "records" } as const;
const ENDINGS = { picture: "png", latent: "safetensors", record: "safetensors" } as const;
export type Kind = keyof typeof FOLDERS;

/** "pictures/HASH.png" */
export function nameOf(kind: Kind, digest: string): string {
  return `${FOLDERS[kind]}/${digest}.${ENDINGS[kind]}`;
}

/** Where files of cells are kept. */
export interface Files {
  /** Where this machine reads a file, once `fetch` has seen to it. */
  path(kind: Kind, digest: string): string;
  /** The names among these that are kept. */
  kept(names: readonly string[]): Promise<ReadonlySet<string>>;
  /** Keeps a file under its hash. `write` is called with a path, only where it is not kept yet. */
  put(kind: Kind, digest: string, write: (path: string) => Promise<void>): Promise<void>;
  /** Keeps a file whose hash is known only once it is written, and returns the hash. */
  putHashed(kind: Kind, write: (path: string) => Promise<void>): Promise<string>;
  /** Brings kept files to where `path` says. */
  fetch(names: readonly string[]): Promise<void>;
}

/** A temporary file that is older was left by a process that was killed: no write takes that long. */
const ABANDONED_MS = 3_600_000;

/** From so many names on, reading the folder is faster than asking for each. */
const MANY = 256;

/** A folder, of this machine or one that several share: `pictures/`, `latents/`, `records/`. */
export class FolderFiles implements Files {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @throws an error whose message is one sentence, where no folder can be made */
  static async open(folder: string): Promise<FolderFiles> {
    for (const name of Object.values(FOLDERS)) {
      const path = join(folder, name);
      await makeFolder(path);
      await removeAbandoned(path);
    }
    return new FolderFiles(folder);
  }

  path(kind: Kind, digest: string): string {
    return join(this.folder, nameOf(kind, digest));
  }

  async kept(names: readonly string[]): Promise<ReadonlySet<string>> {
    if (names.length <= MANY) {
      const kinds = await Promise.all(names.map((name) => kindOf(join(this.folder, name))));
      return new Set(names.filter((_, index) => kinds[index] === "file"));
    }
    const wanted = new Set(names);
    const found = new Set<string>();
    for (const folder of Object.values(FOLDERS)) {
      for await (const { name, isFile } of Deno.readDir(join(this.folder, folder))) {
        const path = `${folder}/${name}`;
        if (isFile && wanted.has(path)) found.add(path);
      }
    }
    return found;
  }

  async put(kind: Kind, digest: string, write: (path: string) => Promise<void>): Promise<void> {
    const path = this.path(kind, digest);
    if (await kindOf(path) !== "file") await write(path);
  }

  async putHashed(kind: Kind, write: (path: string) => Promise<void>): Promise<string> {
    const temporary = join(this.folder, FOLDERS[kind], `.${crypto.randomUUID()}.incomplete`);
    await write(temporary);
    const digest = await sha256(temporary);
    await rename(temporary, this.path(kind, digest));
    return digest;
  }

  fetch(): Promise<void> {
    return Promise.resolve(); // all can reach the folder
  }
}

/** Stores the files of a cell, and returns what is left to tell. */
export async function keep(files: Files, { png, lastLatent, writeRecord, ...measured }: Made): Promise<Receipt> {
  const picture = digestOf(png);
  const latent = digestOf(
    new Uint8Array(lastLatent.data.buffer, lastLatent.data.byteOffset, lastLatent.data.byteLength),
  );
  await files.put("picture", picture, (path) => writeWhole(path, png));
  await files.put("latent", latent, (path) => writeSafetensors(path, new Map([["latent", lastLatent]])));
  const record = writeRecord ? await files.putHashed("record", writeRecord) : null;
  return { ...measured, latentDigest: latent, picture, latent, record };
}

/** The names of a row's files. */
export function filesOf({ picture, latent, record }: Pick<Row, "picture" | "latent" | "record">): string[] {
  return [nameOf("picture", picture), nameOf("latent", latent), ...record === null ? [] : [nameOf("record", record)]];
}

async function removeAbandoned(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".incomplete")) continue;
    const path = join(folder, name);
    try {
      const { mtime } = await Deno.stat(path);
      if (mtime && Date.now() - mtime.getTime() > ABANDONED_MS) await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // another process was faster
    }
  }
}
