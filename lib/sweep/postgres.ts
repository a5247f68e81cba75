/** Rows of finished cells in PostgreSQL, where several coordinators on several machines keep theirs together. */

import postgres from "postgres";
import type { Row } from "./schema.ts";
import { CHANGED, type NewRow, rowOf, type Rows } from "./rows.ts";
import { APPLICATION_ID, STORE_VERSION } from "./schema.ts";

/** Connections that one coordinator holds. */
const CONNECTIONS = 2;

/** Rows in one statement: PostgreSQL takes 65,535 values, a row has 18. */
const AT_ONCE = 1000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS fewstep (version integer NOT NULL);
  CREATE TABLE IF NOT EXISTS fewstep_cells (
    "key" text PRIMARY KEY,
    "content" text NOT NULL,
    "secondsText" double precision,
    "secondsUnet" double precision NOT NULL,
    "secondsPerStep" double precision NOT NULL,
    "secondsVae" double precision NOT NULL,
    "secondsTotal" double precision NOT NULL,
    "memoryBaseline" double precision NOT NULL,
    "memoryResident" double precision NOT NULL,
    "memoryPeak" double precision NOT NULL,
    "warm" boolean NOT NULL,
    "latentDigest" text NOT NULL,
    "picture" text NOT NULL,
    "latent" text NOT NULL,
    "record" text,
    "versions" text NOT NULL,
    "machine" text NOT NULL,
    "made" text NOT NULL
  );
`;

export class PostgresRows implements Rows {
  readonly name: string;
  readonly #sql: postgres.Sql;

  private constructor(name: string, sql: postgres.Sql) {
    this.name = name;
    this.#sql = sql;
  }

  /**
   * Connects, and makes the tables where there are none.
   *
   * @param url "postgres://USER:PASSWORD@HOST:PORT/DATABASE", with "?sslmode=require" for TLS
   * @throws an error whose message is one sentence, without the password
   */
  static async open(url: string): Promise<PostgresRows> {
    const name = nameOf(url);
    const sql = postgres(url, { max: CONNECTIONS, onnotice: () => {}, connect_timeout: 10 });
    try {
      await sql.begin(async (sql) => {
        // Of two that begin at once, one makes the tables.
        await sql`SELECT pg_advisory_xact_lock(${APPLICATION_ID})`;
        await sql.unsafe(TABLES);
        const [found] = await sql`SELECT version FROM fewstep`;
        if (found === undefined) await sql`INSERT INTO fewstep VALUES (${STORE_VERSION})`;
        else if (found.version !== STORE_VERSION) {
          throw new RangeError(`its tables are of version ${found.version}, this kit reads version ${STORE_VERSION}`);
        }
      });
    } catch (error) {
      await sql.end({ timeout: 1 });
      const why = error instanceof Error ? error.message || error.name : String(error);
      throw new Error(`Cannot keep rows in ${name}: ${why}. Wanted is postgres://USER:PASSWORD@HOST:PORT/DATABASE.`);
    }
    return new PostgresRows(name, sql);
  }

  async get(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const found = await this.#sql`SELECT * FROM fewstep_cells WHERE key = ANY(${[...keys]})`;
    return new Map(found.map((values) => rowOf({ ...values }, this.name)).map((row) => [row.key, row]));
  }

  async put(rows: readonly NewRow[]): Promise<void> {
    // One statement must not change a row twice, and two coordinators must not wait for each other: by key, in order.
    const unique = [...new Map(rows.map((row) => [row.key, row])).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    if (unique.length === 0) return;
    await this.#sql.begin(async (sql) => {
      for (let from = 0; from < unique.length; from += AT_ONCE) {
        await sql`
          INSERT INTO fewstep_cells ${sql(unique.slice(from, from + AT_ONCE))}
          ON CONFLICT (key) DO UPDATE SET record = coalesce(excluded.record, fewstep_cells.record),
            ${sql.unsafe(CHANGED.map((name) => `"${name}" = excluded."${name}"`).join(", "))}`;
      }
    });
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }
}

/** Host and database alone: a URL holds a password. */
function nameOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `PostgreSQL at ${host}${pathname}`;
  } catch {
    return "PostgreSQL";
  }
}
