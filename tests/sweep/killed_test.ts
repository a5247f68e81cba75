/** SIGKILL at any moment: nothing that was stored is lost or run again, and what is stored is whole. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { sha256 } from "../../lib/weights/digest.ts";

const CELLS = 6;
const KILLS = 20;

interface Attempt {
  readonly killed: boolean;
  readonly milliseconds: number;
  /** Keys of the cells that began. */
  readonly begun: readonly string[];
  readonly finished: string | undefined;
}

/** Runs the comparison, and kills it after so many milliseconds. */
async function attempt(store: string, milliseconds: number | undefined): Promise<Attempt> {
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("killed.ts", import.meta.url).pathname, store],
    env: { MALLOC_MMAP_THRESHOLD_: "65536" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = milliseconds === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), milliseconds);
  const text = await new Response(child.stdout).text();
  const { signal, code } = await child.status;
  clearTimeout(timer);
  ok(signal === "SIGKILL" || code === 0, `ended with ${code}`);
  const lines = text.split("\n");
  return {
    killed: signal === "SIGKILL",
    milliseconds: performance.now() - began,
    begun: lines.flatMap((line) => line.match(/^begins (\w{64})$/)?.[1] ?? []),
    finished: lines.find((line) => line.startsWith("finished ")),
  };
}

/** The rows of a store, read without the kit. */
function rowsIn(store: string): readonly Record<string, unknown>[] {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(join(store, "store.sqlite"), { readOnly: true });
  } catch {
    return []; // killed before there was one
  }
  try {
    const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'cells'").get();
    if (tables?.n === 0) return [];
    equal(database.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    return database.prepare("SELECT * FROM cells").all();
  } finally {
    database.close();
  }
}

/** Each row's files are there, and hold what their names say. */
async function wantWhole(store: string, rows: readonly Record<string, unknown>[]): Promise<void> {
  for (const { picture, latent, record } of rows) {
    equal(await sha256(join(store, "pictures", `${picture}.png`)), picture);
    equal(await sha256(join(store, "records", `${record}.safetensors`)), record);
    ok((await Deno.stat(join(store, "latents", `${latent}.safetensors`))).isFile, "the latent is there");
  }
}

/** Spread over 0 … 1 without a pattern, the same in every run: multiples of the golden ratio. */
function momentOf(index: number): number {
  return ((index + 1) * (Math.sqrt(5) - 1) / 2) % 1;
}

Deno.test("a comparison killed at 20 random moments ends complete, and runs nothing again that was stored", () =>
  inFolder(async (folder) => {
    const clean = await attempt(join(folder, "clean"), undefined);
    equal(clean.begun.length, CELLS);
    ok(clean.finished !== undefined, "an undisturbed run ends");
    const whole = clean.milliseconds;
    const idle = (await attempt(join(folder, "clean"), undefined)).milliseconds; // starts, finds nothing to do, ends

    let [store, stores, kills] = [join(folder, "store-0"), 0, 0];
    while (kills < KILLS) {
      const before = rowsIn(store);
      const stored = new Set(before.map(({ key }) => key));
      const span = idle + (whole - idle) * (CELLS - stored.size) / CELLS;
      const { killed, begun, finished } = await attempt(store, momentOf(kills) * span);
      equal(begun.filter((key) => stored.has(key)), [], "cells that were stored and ran again");
      const after = rowsIn(store);
      const keys = new Set(after.map(({ key }) => key));
      equal([...stored].filter((key) => !keys.has(key)), [], "cells that were lost");
      await wantWhole(store, after);
      if (killed) kills++;
      else {
        equal(finished, clean.finished);
        equal(after.length, CELLS);
        store = join(folder, `store-${++stores}`); // complete: the next kill gets a new one
      }
    }
    const last = await attempt(store, undefined);
    equal(last.finished, clean.finished, "the same bits as an undisturbed run's");
    equal(rowsIn(store).length, CELLS);
    await wantWhole(store, rowsIn(store));
    equal((await attempt(store, undefined)).begun, [], "nothing is left to run");
  }));
