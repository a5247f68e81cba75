/** The tables of a store, and what their rows must hold. */

import * as v from "valibot";

/** Of the tables and their meaning: a reader must not guess what another number means. */
export const STORE_VERSION = 1;

/** SQLite's application_id of a store: "FSTP" in ASCII. */
export const APPLICATION_ID = 0x46535450;

export const TABLES = `
  CREATE TABLE cells (
    key TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    secondsText REAL,
    secondsUnet REAL NOT NULL,
    secondsPerStep REAL NOT NULL,
    secondsVae REAL NOT NULL,
    secondsTotal REAL NOT NULL,
    memoryBaseline REAL NOT NULL,
    memoryResident REAL NOT NULL,
    memoryPeak REAL NOT NULL,
    warm INTEGER NOT NULL,
    latentDigest TEXT NOT NULL,
    picture TEXT NOT NULL,
    latent TEXT NOT NULL,
    record TEXT,
    versions TEXT NOT NULL,
    machine TEXT NOT NULL,
    made TEXT NOT NULL
  ) STRICT;
  CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE features (
    network TEXT NOT NULL,
    item TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (network, item)
  ) STRICT;
  CREATE TABLE files (path TEXT PRIMARY KEY, size REAL NOT NULL, modified REAL NOT NULL, digest TEXT NOT NULL) STRICT;
`;

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** A finished cell as it lies in the table: files by the hash that names them. */
export const rowSchema = v.object({
  key: digest,
  secondsText: v.nullable(v.number()),
  secondsUnet: v.number(),
  secondsPerStep: v.number(),
  secondsVae: v.number(),
  secondsTotal: v.number(),
  memoryBaseline: v.number(),
  memoryResident: v.number(),
  memoryPeak: v.number(),
  warm: v.pipe(v.union([v.boolean(), v.number()]), v.transform((value) => Boolean(value))), // SQLite has no booleans
  latentDigest: digest,
  picture: digest,
  latent: digest,
  record: v.nullable(digest),
  versions: v.string(),
  machine: v.string(),
  made: v.string(),
});

export type Row = v.InferOutput<typeof rowSchema>;

/** What a worker tells of a finished cell: its row without the key. */
export const receiptSchema = v.omit(rowSchema, ["key"]);
