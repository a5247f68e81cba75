/**
 * Where finished cells stay: an SQLite file, and pictures, latents and records beside it, named by the hash of what they
 * hold. A file is there whole before the row that names it is committed, so a process that is killed at any moment
 * leaves either a finished cell or none.
 *
 *     store.sqlite   pictures/HASH.png   latents/HASH.safetensors   records/HASH.safetensors
 *
 * Several processes of one machine may use a store at once (SQLite's write-ahead log; not on network file systems).
 */

import { join, resolve } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import * as v from "valibot";
import { Tensor } from "../tensor/tensor.ts";
import { sha256 } from "../weights/digest.ts";
import { kindOf, writeWhole } from "../weights/files.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import type { Content, Result } from "./cell.ts";
import { digestOf } from "./content.ts";
import { APPLICATION_ID, type Row, rowSchema, STORE_VERSION, TABLES } from "./schema.ts";

/** What running a cell gave, before it is stored. */
export interface Made extends Omit<Result, "picture" | "latent" | "record" | "latentDigest"> {
  /** A PNG. */
  readonly png: Uint8Array;
  /** The last latent, `[1, 4, height/8, width/8]`. */
  readonly lastLatent: Tensor;
  /** Writes the run as a record to a path; left out where none is kept. */
  readonly writeRecord?: (path: string) => Promise<void>;
}

const FOLDERS = { picture: "pictures", latent: "latents", record: "records" } as const;
const ENDINGS = { picture: "png", latent: "safetensors", record: "safetensors" } as const;
type Kind = keyof typeof FOLDERS;

/** Milliseconds that a process waits for another's write before it gives up. */
const BUSY_MS = 30_000;

/** A temporary file that is older was left by a process that was killed: no write takes that long. */
const ABANDONED_MS = 3_600_000;

export class Store {
  /** As it was named. */
  readonly folder: string;
  readonly #database: DatabaseSync;

  private constructor(folder: string, database: DatabaseSync) {
    this.folder = folder;
    this.#database = database;
  }

  /**
   * Opens a store, or begins one in a folder that has none.
   *
   * @throws an error whose message is one sentence: no folder can be made there, its store.sqlite is something else, or
   * of another version
   */
  static async open(folder: string): Promise<Store> {
    for (const name of Object.values(FOLDERS)) {
      const path = join(folder, name);
      try {
        await Deno.mkdir(path, { recursive: true });
      } catch (error) {
        throw new Error(
          `Cannot keep a store in ${folder}: ${error instanceof Error ? error.message : error}. A folder was wanted.`,
        );
      }
      await removeAbandoned(path);
    }
    return new Store(folder, openDatabase(join(folder, "store.sqlite")));
  }

  /**
   * The finished cells among these, by key. One whose files are gone counts as not finished.
   *
   * @param records whether a cell is finished only with its record
   */
  async finished(keys: readonly string[], { records = "none" }: { readonly records?: "none" | "all" } = {}): Promise<
    ReadonlyMap<string, Result>
  > {
    const select = this.#database.prepare("SELECT * FROM cells WHERE key = ?");
    const found = new Map<string, Result>();
    for (const key of new Set(keys)) {
      const values = select.get(key);
      if (values === undefined) continue;
      const row = this.#parse(values);
      if (records === "all" && row.record === null) continue;
      const result = this.#result(row);
      const paths = [result.picture, result.latent, result.record].filter((path) => path !== null);
      const kinds = await Promise.all(paths.map(kindOf));
      if (kinds.every((kind) => kind === "file")) found.set(key, result);
    }
    return found;
  }

  /**
   * Stores a cell: its files first, then its row. Of two processes that ran the same cell, the first one's row stays; a
   * record, and files that were lost, are added to it.
   */
  async put(key: string, content: Content, { png, lastLatent, writeRecord, ...measured }: Made): Promise<Result> {
    const picture = digestOf(png);
    const latent = digestOf(
      new Uint8Array(lastLatent.data.buffer, lastLatent.data.byteOffset, lastLatent.data.byteLength),
    );
    await this.#write("picture", picture, (path) => writeWhole(path, png));
    await this.#write("latent", latent, (path) => writeSafetensors(path, new Map([["latent", lastLatent]])));
    const record = writeRecord ? await this.#writeHashed("record", writeRecord) : null;
    const row = {
      key,
      content: JSON.stringify(content),
      ...measured,
      warm: Number(measured.warm),
      latentDigest: latent,
    };
    const values: Record<string, SQLInputValue> = { ...row, picture, latent, record };
    const names = Object.keys(values);
    this.#database.prepare(
      `INSERT INTO cells (${names.join(", ")}) VALUES (${names.map((name) => `:${name}`).join(", ")})
       ON CONFLICT (key) DO UPDATE SET record = coalesce(excluded.record, record), picture = excluded.picture,
         latent = excluded.latent, latentDigest = excluded.latentDigest`,
    ).run(values);
    const stored = this.#database.prepare("SELECT * FROM cells WHERE key = ?").get(key);
    return this.#result(this.#parse(stored));
  }

  /** Something that was computed from stored files, and need not be again. The key names all that it depends on. */
  fact<T>(key: string, schema: v.GenericSchema<unknown, T>): T | undefined {
    const row = this.#database.prepare("SELECT value FROM facts WHERE key = ?").get(key);
    if (row === undefined) return undefined;
    const parsed = v.safeParse(schema, JSON.parse(String(row.value)));
    return parsed.success ? parsed.output : undefined;
  }

  setFact(key: string, value: unknown): void {
    this.#database.prepare("INSERT OR REPLACE INTO facts VALUES (?, ?)").run(key, JSON.stringify(value));
  }

  /** A feature vector of a picture or text, by the network's digest and the item's. */
  feature(network: string, item: string): Tensor | undefined {
    const row = this.#database.prepare("SELECT data FROM features WHERE network = ? AND item = ?").get(network, item);
    return row?.data instanceof Uint8Array ? Tensor.of(new Float32Array(row.data.slice().buffer)) : undefined;
  }

  setFeature(network: string, item: string, { data }: Tensor): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#database.prepare("INSERT OR REPLACE INTO features VALUES (?, ?, ?)").run(network, item, bytes);
  }

  /** sha256 of a file, remembered until its size or date changes: tens of gigabytes are not read anew for every plan. */
  async digest(path: string): Promise<string> {
    const absolute = resolve(path);
    const { size, mtime } = await Deno.stat(absolute);
    const modified = mtime?.getTime() ?? 0;
    const row = this.#database.prepare("SELECT digest FROM files WHERE path = ? AND size = ? AND modified = ?")
      .get(absolute, size, modified);
    if (row !== undefined) return String(row.digest);
    const digest = await sha256(absolute);
    this.#database.prepare("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)").run(absolute, size, modified, digest);
    return digest;
  }

  close(): void {
    this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #path(kind: Kind, digest: string): string {
    return join(this.folder, FOLDERS[kind], `${digest}.${ENDINGS[kind]}`);
  }

  async #write(kind: Kind, digest: string, write: (path: string) => Promise<void>): Promise<void> {
    const path = this.#path(kind, digest);
    if (await kindOf(path) !== "file") await write(path);
  }

  /** Writes a file whose hash is known only once it is there. */
  async #writeHashed(kind: Kind, write: (path: string) => Promise<void>): Promise<string> {
    const temporary = join(this.folder, FOLDERS[kind], `.${crypto.randomUUID()}.incomplete`);
    await write(temporary);
    const digest = await sha256(temporary);
    await Deno.rename(temporary, this.#path(kind, digest));
    return digest;
  }

  #parse(values: unknown): Row {
    const parsed = v.safeParse(rowSchema, values);
    if (parsed.success) return parsed.output;
    const [issue] = parsed.issues;
    throw new SyntaxError(
      `Cannot read the store in ${this.folder}: "${v.getDotPath(issue)}" of a cell: ${issue.message}. Was it edited?`,
    );
  }

  #result({ key: _, picture, latent, record, ...rest }: Row): Result {
    return {
      ...rest,
      picture: this.#path("picture", picture),
      latent: this.#path("latent", latent),
      record: record && this.#path("record", record),
    };
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  const number = (pragma: string) => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    database.exec("BEGIN IMMEDIATE"); // of two processes that begin a store, one makes the tables
    const empty = number("schema_version") === 0;
    if (empty) {
      database.exec(`${TABLES} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${STORE_VERSION};`);
    }
    database.exec("COMMIT");
    if (number("application_id") !== APPLICATION_ID) {
      throw new SyntaxError(`Cannot use ${path} as a store: it is another program's database. Name an empty folder.`);
    }
    const version = number("user_version");
    if (version !== STORE_VERSION) {
      throw new RangeError(
        `Cannot use the store ${path}: it is of version ${version}, this kit reads version ${STORE_VERSION}. ` +
          `Name another folder, or use the kit that made it.`,
      );
    }
    // What is damaged is told now, in a sentence, and not in the midst of a comparison: a second for a gigabyte.
    const damage = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (damage !== "ok") throw new Error(`malformed: ${damage}`);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    return database;
  } catch (error) {
    database.close();
    throw databaseFault(path, error);
  }
}

function databaseFault(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.message.startsWith("Cannot ")) return error;
  const why = /not a database/.test(error.message)
    ? "it is not an SQLite database. Name an empty folder."
    : /malformed|corrupt|no such table/.test(error.message)
    ? "it is a damaged SQLite database. Put a copy of it back, or name an empty folder."
    : `SQLite says "${error.message.replaceAll(/\s+/g, " ")}".`;
  return new SyntaxError(`Cannot use ${path} as a store: ${why}`, { cause: error });
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
