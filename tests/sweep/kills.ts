/**
 * SIGKILL of workers, their processes, the coordinator and Redis at random moments, over sweeps of fake cells: each ends
 * with every cell once, none lost, none corrupt. `deno task test:kills [COUNT]` does it 200 times; the suite a few.
 */

import { Store } from "fewstep/sweep/store.ts";
import { filesOf, FolderFiles, keep } from "fewstep/sweep/files.ts";
import { taskOf } from "fewstep/sweep/task.ts";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { equal } from "../assert.ts";
import { inFolder } from "../files.ts";
import { fakePlan, openFake } from "./fake.ts";
import { startRedis } from "./servers.ts";

const CELLS = 120;
const CELL_MS = 30;
/** Seconds without a new cell after which a sweep is taken to hang. */
const PATIENCE = 120;

export interface Killed {
  readonly kills: number;
  readonly sweeps: number;
  /** Cells that were set aside because their worker was killed three times: a sweep that follows runs them. */
  readonly aside: number;
}

/** Kills until so many have been killed, and then lets the last sweep end. */
export function killAtRandom(count: number, log: (message: string) => void = () => {}): Promise<Killed> {
  return new Promise((resolve, reject) => {
    inFolder(async (folder) => resolve(await killIn(folder, count, log))).catch(reject);
  });
}

async function killIn(folder: string, count: number, log: (message: string) => void): Promise<Killed> {
  await using redis = await startRedis({ keeps: "aof" });
  let [kills, sweeps, aside] = [0, 0, 0];
  while (kills < count) {
    const store = join(folder, `sweep-${sweeps}`);
    const files = join(store, "files");
    const start = (script: string, ...args: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", "--no-check", new URL(script, import.meta.url).pathname, redis.url, ...args],
        stdout: "null",
        stderr: "null",
      }).spawn();
    const worker = () => start("fake_worker.ts", files);
    const coordinate = () => start("fake_coordinator.ts", store, String(CELLS), String(CELL_MS));
    const workers = [worker(), worker()];
    let coordinator = coordinate();
    let [stored, progressed] = [0, Date.now()];
    try {
      for (;;) {
        // A moment after the sweep got on: killed faster than processes start, none would. Each fourth is not so kind.
        const wait = kills % 4 === 3 ? 0 : 1;
        let ended: Deno.CommandStatus | undefined;
        for (const before = stored; ended === undefined && stored < before + wait;) {
          ended = await Promise.race([coordinator.status, pause(50)]);
          const now = rowsIn(store);
          if (now > stored) [stored, progressed] = [now, Date.now()];
          if (Date.now() - progressed > 1000 * PATIENCE) throw new Error(`A sweep hangs: no cell in ${PATIENCE} s.`);
        }
        ended ??= await Promise.race([coordinator.status, pause(1000 * momentOf(kills))]);
        if (ended?.code === 0) break;
        if (ended !== undefined) {
          aside++;
          coordinator = coordinate();
          continue;
        }
        if (kills >= count) continue;
        const victim = Math.floor(4 * momentOf(31 * kills + 7));
        if (victim < 2) {
          await kill(workers[victim]);
          workers[victim] = worker();
        } else if (victim === 2) {
          await kill(coordinator);
          coordinator = coordinate();
        } else await redis.restart();
        kills++;
        log(`${kills}: ${["worker 1", "worker 2", "coordinator", "Redis"][victim]}`);
      }
    } finally {
      await Promise.all([...workers, coordinator].map(kill));
    }
    await wantWhole(store);
    sweeps++;
  }
  return { kills, sweeps, aside };
}

/** Every cell is there once, with the bits that an undisturbed run gives. */
async function wantWhole(store: string): Promise<void> {
  const plan = fakePlan({ models: ["a", "b"], cells: CELLS / 2, prompt: () => `sleep ${CELL_MS}` });
  {
    using database = new DatabaseSync(join(store, "store.sqlite"), { readOnly: true });
    equal(database.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    const keys = database.prepare("SELECT key FROM cells ORDER BY key").all().map(({ key }) => String(key));
    equal(keys, plan.cells.map(({ key }) => key).toSorted());
  }
  await inFolder(async (folder) => {
    const reference = await FolderFiles.open(folder);
    const files = await FolderFiles.open(join(store, "files"));
    using opened = await Store.open(store, { files });
    const finished = await opened.finished(plan.cells.map(({ key }) => key));
    equal(finished.size, CELLS);
    await using maker = await openFake({ model: plan.models[0].options, measure: plan.measure });
    for (const cell of plan.cells) {
      const receipt = await keep(reference, await maker.make({ ...taskOf(cell), prompt: "" }));
      for (const name of filesOf(receipt)) {
        equal(await Deno.readFile(join(store, "files", name)), await Deno.readFile(join(folder, name)));
      }
    }
  });
}

/** Rows that are stored so far, read without the kit. */
function rowsIn(store: string): number {
  try {
    using database = new DatabaseSync(join(store, "store.sqlite"), { readOnly: true });
    return Number(database.prepare("SELECT count(*) AS count FROM cells").get()?.count);
  } catch {
    return 0; // there is no store yet, or its tables are just being made
  }
}

function pause(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function kill(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // it has ended
  }
  await process.status;
}

/** Spread over 0 … 1 without a pattern, the same in every run: multiples of the golden ratio. */
function momentOf(index: number): number {
  return ((index + 1) * (Math.sqrt(5) - 1) / 2) % 1;
}

if (import.meta.main) {
  const began = performance.now();
  const { kills, sweeps, aside } = await killAtRandom(Number(Deno.args[0] ?? 200), console.log);
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`${kills} kills over ${sweeps} sweeps of ${CELLS} cells in ${seconds} s: every cell once, whole.`);
  console.log(`${aside} sweeps had to be run again because a cell's worker was killed three times.`);
  Deno.exit(0);
}
