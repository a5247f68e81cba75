/** What is killed by `kills.ts`: sweeps of fake cells, which are fast, and of pocket cells, which are real. */

import { planComparison, type PlannedCell } from "fewstep/sweep/plan.ts";
import { Store } from "fewstep/sweep/store.ts";
import { filesOf, FolderFiles, keep } from "fewstep/sweep/files.ts";
import { sweep } from "fewstep/sweep/sweep.ts";
import { taskOf } from "fewstep/sweep/task.ts";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { equal } from "../assert.ts";
import { fakePlan, openFake } from "./fake.ts";
import { pocketPlan, WAYS } from "./pocket.ts";
import { startWorker } from "./same.ts";

export interface Subject {
  /** Of one sweep. */
  readonly cells: number;
  /** Seconds without a new cell after which a sweep is taken to hang. */
  readonly patience: number;
  /** Prepares sweeps of these cells. What an undisturbed run gives lies in the folder afterwards. */
  begin(reference: string): Promise<Sweeps>;
}

/** Sweeps that all have the same cells; each has a store of its own. */
export interface Sweeps {
  /** A coordinator in a process of its own: it ends with 0 when every cell is stored. */
  coordinate(redis: string, store: string): Deno.ChildProcess;
  /** A worker in a process of its own. */
  work(redis: string, store: string): Deno.ChildProcess;
  /** @throws AssertionError unless every cell is there once, with the bits that an undisturbed run gives */
  wantWhole(store: string): Promise<void>;
}

const filesIn = (store: string) => join(store, "files");

const CELLS = 120;
const CELL_MS = 30;

export const FAKE: Subject = {
  cells: CELLS,
  patience: 120,
  async begin(reference) {
    const plan = fakePlan({ models: ["a", "b"], cells: CELLS / 2, prompt: () => `sleep ${CELL_MS}` });
    const names: string[] = [];
    const files = await FolderFiles.open(reference);
    await using maker = await openFake({ model: plan.models[0].options, measure: plan.measure });
    for (const cell of plan.cells) {
      names.push(...filesOf(await keep(files, await maker.make({ ...taskOf(cell), prompt: "" }))));
    }
    return {
      coordinate: (redis, store) => start("fake_coordinator.ts", [redis, store, String(CELLS), String(CELL_MS)]),
      work: (redis, store) => start("fake_worker.ts", [redis, filesIn(store)]),
      wantWhole: (store) => wantWhole(store, { cells: plan.cells, names, reference }),
    };
  },
};

const POCKET_CELLS = { prompts: 5, seeds: 2 };

export const POCKET: Subject = {
  cells: WAYS * POCKET_CELLS.prompts * POCKET_CELLS.seeds,
  patience: 400, // processes start slowly on a machine that is busy, and 15 seconds pass until one is missed
  async begin(reference) {
    const { quality: _, ...comparison } = pocketPlan(POCKET_CELLS);
    const { cells } = await planComparison(comparison);
    const clean = await sweep(comparison, { store: reference, onProgress: () => {} });
    const names = clean.cells.flatMap(({ picture, latent }) =>
      [picture, latent].map((path) => path.slice(reference.length + 1))
    );
    const plan = join(dirname(reference), "plan.json");
    await Deno.writeTextFile(plan, JSON.stringify(comparison));
    return {
      coordinate: (redis, store) =>
        start("../../lib/cli/sweep.ts", [plan, "--redis", redis, "--store", store, "--files", filesIn(store)]),
      work: (redis, store) => startWorker({ url: redis }, filesIn(store)),
      wantWhole: (store) => wantWhole(store, { cells, names, reference }),
    };
  },
};

function start(script: string, args: readonly string[]): Deno.ChildProcess {
  const path = new URL(script, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", path, ...args],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

interface Wanted {
  readonly cells: readonly PlannedCell[];
  /** Of files, by kind and hash, and where they lie as an undisturbed run made them. */
  readonly names: readonly string[];
  readonly reference: string;
}

async function wantWhole(store: string, { cells, names, reference }: Wanted): Promise<void> {
  const wanted = cells.map(({ key }) => key);
  {
    using database = new DatabaseSync(join(store, "store.sqlite"), { readOnly: true });
    equal(database.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    const keys = database.prepare("SELECT key FROM cells ORDER BY key").all().map(({ key }) => String(key));
    equal(keys, wanted.toSorted());
  }
  const files = await FolderFiles.open(filesIn(store));
  using opened = await Store.open(store, { files });
  const finished = await opened.finished(wanted);
  const kept = wanted.flatMap((key) => {
    const cell = finished.get(key);
    return cell === undefined ? [] : [cell.picture, cell.latent].map((path) => path.slice(filesIn(store).length + 1));
  });
  equal(kept, names);
  for (const name of names) {
    equal(await Deno.readFile(join(filesIn(store), name)), await Deno.readFile(join(reference, name)));
  }
}
