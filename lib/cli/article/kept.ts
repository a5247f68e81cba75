/**
 * Exports that need not be drawn again: a note in the folder says of each what it was drawn from and which files it came
 * to. Cells, drawing code or files that changed make it be drawn anew.
 */

import { join } from "node:path";
import * as v from "valibot";
import { digestOf } from "../../sweep/content.ts";
import { writeWhole } from "../../weights/files.ts";
import type { Exhibit } from "./figures.ts";

const schema = v.record(v.string(), v.object({ drawnFrom: v.string(), files: v.record(v.string(), v.string()) }));
type Note = v.InferOutput<typeof schema>;

/** A folder of exports, and what they were drawn from. */
export class Kept {
  readonly #path: string;
  readonly #folder: string;
  readonly #note: Note;
  readonly #code: string;

  private constructor(folder: string, path: string, note: Note, code: string) {
    [this.#folder, this.#path, this.#note, this.#code] = [folder, path, note, code];
  }

  /** Reads a folder's note. One that cannot be read counts as none: everything is drawn again. */
  static async open(folder: string): Promise<Kept> {
    const path = join(folder, ".drawn.json");
    const parsed = v.safeParse(schema, await jsonOf(path));
    return new Kept(folder, path, parsed.success ? parsed.output : {}, await drawingCode());
  }

  /** The files that an exhibit has already come to, by these endings; nothing where it has to be drawn. */
  async filesOf(exhibit: Exhibit, endings: readonly string[]): Promise<readonly string[] | undefined> {
    const entry = Object.hasOwn(this.#note, exhibit.name) ? this.#note[exhibit.name] : undefined;
    if (entry?.drawnFrom !== this.#key(exhibit, endings)) return undefined;
    for (const [name, digest] of Object.entries(entry.files)) {
      if (await fileDigest(join(this.#folder, name)) !== digest) return undefined;
    }
    return Object.keys(entry.files).map((name) => join(this.#folder, name));
  }

  /** Notes what an exhibit came to. @param names of its files, in the folder */
  async keep(exhibit: Exhibit, endings: readonly string[], names: readonly string[]): Promise<void> {
    const files: Record<string, string> = {};
    for (const name of names) files[name] = await fileDigest(join(this.#folder, name)) ?? "";
    this.#note[exhibit.name] = { drawnFrom: this.#key(exhibit, endings), files };
    await writeWhole(this.#path, new TextEncoder().encode(JSON.stringify(this.#note, null, 2) + "\n"));
  }

  #key({ name, about, runs: { cells, summary } }: Exhibit, endings: readonly string[]): string {
    return digestOf(JSON.stringify([this.#code, name, about, endings, cells, summary]));
  }
}

async function jsonOf(path: string): Promise<unknown> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function fileDigest(path: string): Promise<string | undefined> {
  try {
    return digestOf(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The kit's sources that decide how a figure looks, and what it carries: hashed, so that none is forgotten. */
async function drawingCode(): Promise<string> {
  const digests: string[] = [];
  for (const folder of ["../../view/", "../../sweep/", "./", "../../../data/published/"]) {
    const url = new URL(folder, import.meta.url);
    const names: string[] = [];
    for await (const { name, isFile } of Deno.readDir(url)) if (isFile) names.push(name);
    for (const name of names.sort()) digests.push(name, digestOf(await Deno.readFile(new URL(name, url))));
  }
  return digestOf(digests.join("\n"));
}
