/** The rows of finished cells, in the store's own SQLite. */

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import * as v from "valibot";
import { type Row, rowSchema } from "./schema.ts";

/** A row with what its key is the hash of, as JSON. */
export interface NewRow extends Row {
  readonly content: string;
}

/** Where rows are kept. */
export interface Rows {
  /** As it is called in messages. */
  readonly name: string;
  /** The rows of these keys, as far as they are there. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, Row>>;
  /**
   * Keeps rows, all or none. Of two that name one key the first one's measurements stay; a record, and files that were
   * lost, are added to it.
   */
  put(rows: readonly NewRow[]): Promise<void>;
  close(): Promise<void>;
}

/** What a second row of a key changes of the first. */
export const CHANGED = ["picture", "latent", "latentDigest"] as const;

export class SqliteRows implements Rows {
  readonly name: string;
  readonly #database: DatabaseSync;

  constructor(name: string, database: DatabaseSync) {
    this.name = name;
    this.#database = database;
  }

  get(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const select = this.#database.prepare("SELECT * FROM cells WHERE key = ?");
    const found = new Map<string, Row>();
    for (const key of new Set(keys)) {
      const values = select.get(key);
      if (values !== undefined) found.set(key, rowOf(values, this.name));
    }
    return Promise.resolve(found);
  }

  put(rows: readonly NewRow[]): Promise<void> {
    if (rows.length === 0) return Promise.resolve();
    const names = Object.keys(rows[0]);
    const insert = this.#database.prepare(
      `INSERT INTO cells (${names.join(", ")}) VALUES (${names.map((name) => `:${name}`).join(", ")})
       ON CONFLICT (key) DO UPDATE SET record = coalesce(excluded.record, record),
         ${CHANGED.map((name) => `${name} = excluded.${name}`).join(", ")}`,
    );
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const row of rows) {
        const values: Record<string, SQLInputValue> = { ...row, warm: Number(row.warm) };
        insert.run(values);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve(); // the store closes its database
  }
}

/** @throws SyntaxError for a row that is none */
export function rowOf(values: unknown, store: string): Row {
  const parsed = v.safeParse(rowSchema, values);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new SyntaxError(
    `Cannot read the store in ${store}: "${v.getDotPath(issue)}" of a cell: ${issue.message}. Was it edited?`,
  );
}
