/**
 * Where finished cells stay: an SQLite file, and pictures, latents and records beside it, named by the hash of what they
 * hold. A file is there whole before the row that names it is committed, so a process that is killed at any moment
 * leaves either a finished cell or none.
 *
 *     store.sqlite   pictures/HASH.png   latents/HASH.safetensors   records/HASH.safetensors
 *
 * Several processes of one machine may use a store at once (SQLite's write-ahead log; not on network file systems).
 * Where many machines work on one store, their files lie in a folder or bucket that all reach, and rows may lie in
 * PostgreSQL; SQLite then keeps what only this machine needs: digests of files and measured quality.
 */

import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as v from "valibot";
import { Tensor } from "../tensor/tensor.ts";
import { sha256 } from "../weights/digest.ts";
import type { Content, Result } from "./cell.ts";
import { type Files, filesOf, FolderFiles, keep, type Made, type Receipt } from "./files.ts";
import { type Rows, SqliteRows } from "./rows.ts";
import { APPLICATION_ID, type Row, STORE_VERSION, TABLES } from "./schema.ts";

/** Milliseconds that a process waits for another's write before it gives up. */
const BUSY_MS = 30_000;

export interface StoreOptions {
  /** Where files are kept, if not in the store's folder. */
  readonly files?: Files;
  /** Where rows are kept, if not in the store's SQLite. They are closed with the store. */
  readonly rows?: Rows;
}

/** A finished cell, to be told to the store: its files are there already. */
export interface Finished {
  readonly key: string;
  readonly content: Content;
  readonly receipt: Receipt;
}

/** Keys that are looked up at once. */
const CHUNK = 1000;

export class Store {
  /** As it was named. */
  readonly folder: string;
  /** Where pictures, latents and records lie. */
  readonly files: Files;
  readonly #rows: Rows;
  readonly #database: DatabaseSync;

  private constructor(folder: string, database: DatabaseSync, { files, rows }: Required<StoreOptions>) {
    this.folder = folder;
    this.files = files;
    this.#rows = rows;
    this.#database = database;
  }

  /**
   * Opens a store, or begins one in a folder that has none.
   *
   * @throws an error whose message is one sentence: no folder can be made there, its store.sqlite is something else, or
   * of another version
   */
  static async open(folder: string, { files, rows }: StoreOptions = {}): Promise<Store> {
    const own = await FolderFiles.open(folder);
    const database = openDatabase(join(folder, "store.sqlite"));
    return new Store(folder, database, { files: files ?? own, rows: rows ?? new SqliteRows(folder, database) });
  }

  /**
   * The finished cells among these, by key. One whose files are gone counts as not finished.
   *
   * @param records whether a cell is finished only with its record
   */
  async finished(keys: readonly string[], { records = "none" }: { readonly records?: "none" | "all" } = {}): Promise<
    ReadonlyMap<string, Result>
  > {
    const unique = [...new Set(keys)];
    const rows: Row[] = [];
    for (let from = 0; from < unique.length; from += CHUNK) {
      const found = await this.#rows.get(unique.slice(from, from + CHUNK));
      for (const row of found.values()) if (records === "none" || row.record !== null) rows.push(row);
    }
    const kept = await this.files.kept(rows.flatMap(filesOf));
    return new Map(
      rows.filter((row) => filesOf(row).every((name) => kept.has(name))).map((row) => [row.key, this.#result(row)]),
    );
  }

  /** Stores a cell: its files first, then its row. Of two processes that ran the same cell, the first one's row stays. */
  async put(key: string, content: Content, made: Made): Promise<Result> {
    const receipt = await keep(this.files, made);
    await this.record([{ key, content, receipt }]);
    const stored = await this.#rows.get([key]);
    return this.#result(stored.get(key) ?? { key, ...receipt });
  }

  /** Stores the rows of cells whose files are stored, all or none. */
  async record(finished: readonly Finished[]): Promise<void> {
    await this.#rows.put(
      finished.map(({ key, content, receipt }) => ({ key, content: JSON.stringify(content), ...receipt })),
    );
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

  /** Also closes rows that lie elsewhere. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rows.close();
    this.close();
  }

  #result({ key: _, picture, latent, record, ...rest }: Row): Result {
    return {
      ...rest,
      picture: this.files.path("picture", picture),
      latent: this.files.path("latent", latent),
      record: record && this.files.path("record", record),
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
