/**
 * The same plan on the pocket models here, by two processes, and on Redis by two workers that are processes of their
 * own: the same bits of every cell and the same tables. `deno task test:sweep [FOLDER]` does it with 200 cells and goes
 * on where it was stopped; the suite with a few.
 */

import { type CompareOptions, pivot, type Runs, sweep } from "fewstep";
import { CELL_METRICS } from "fewstep/sweep/cell.ts";
import type { SweepOptions } from "fewstep/sweep/sweep.ts";
import { join } from "node:path";
import { equal } from "../assert.ts";
import { pocketPlan } from "./pocket.ts";
import { ended, type Server, startRedis } from "./servers.ts";

const HOWS = ["here", "workers", "queue"] as const;
type How = typeof HOWS[number];

export interface Same {
  readonly cells: number;
  /** Cells that were run now, and not found in the store. */
  readonly ran: Readonly<Record<How, number>>;
  readonly seconds: Readonly<Record<How, number>>;
  /** The runs that were compared: the files of all three hold the same. */
  readonly runs: Runs;
}

export interface SameOptions {
  /** Stores of the three lie here, and what they hold is not run again. */
  readonly folder: string;
  readonly log?: (message: string) => void;
}

/** @throws AssertionError where bits or tables differ */
export async function sameThreeWays(plan: CompareOptions, { folder, log = () => {} }: SameOptions): Promise<Same> {
  const found = new Map<How, Runs>();
  const [ran, seconds] = [{ here: 0, workers: 0, queue: 0 }, { here: 0, workers: 0, queue: 0 }];
  for (const how of HOWS) {
    const store = join(folder, how);
    const began = performance.now();
    const options: SweepOptions = {
      run: how,
      store,
      workers: { processes: 2, threads: 1 },
      onEvent: ({ event }) => void (ran[how] += event === "finished" ? 1 : 0),
      onProgress: () => {},
    };
    found.set(how, how === "queue" ? await onQueue(plan, options, store, log) : await sweep(plan, options));
    seconds[how] = Math.round((performance.now() - began) / 100) / 10;
    log(`${how}: ${found.get(how)?.cells.length} cells, ${ran[how]} of them run now, in ${seconds[how]} s.`);
  }
  const [here, ...others] = [...found.values()];
  for (const other of others) {
    equal(other.failed, []);
    equal(other.cells.map(bitsOf), here.cells.map(bitsOf));
    for (const [index, cell] of here.cells.entries()) {
      for (const kind of ["picture", "latent"] as const) {
        equal(await Deno.readFile(other.cells[index][kind]), await Deno.readFile(cell[kind]));
      }
    }
    equal(tablesOf(other), tablesOf(here));
  }
  return { cells: here.cells.length, ran, seconds, runs: here };
}

/** Two workers with the command that a fleet's machines run. */
async function onQueue(
  plan: CompareOptions,
  options: SweepOptions,
  store: string,
  log: (message: string) => void,
): Promise<Runs> {
  await using redis = await startRedis();
  const files = join(store, "files");
  const workers: Deno.ChildProcess[] = [];
  const onEvent: SweepOptions["onEvent"] = (event) => {
    if (event.event === "begun") workers.push(startWorker(redis, files), startWorker(redis, files));
    options.onEvent?.(event);
  };
  try {
    const runs = await sweep(plan, { ...options, onEvent, files, queue: { redis: redis.url } });
    if (workers.length === 0) return runs; // all was stored
    const began = performance.now();
    for (const worker of workers) worker.kill("SIGTERM");
    const statuses = await Promise.all(workers.map(({ status }) => status));
    equal(statuses.map(({ code }) => code), [0, 0], "a worker that is told to end, ends well");
    log(`The workers ended ${Math.round(performance.now() - began)} ms after they were told to.`);
    return runs;
  } finally {
    await Promise.all(workers.map(ended));
  }
}

/** `deno task worker` with one process of one thread, without a shell between. */
export function startWorker({ url }: Pick<Server, "url">, files: string): Deno.ChildProcess {
  const worker = new URL("../../lib/cli/worker.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "-A", "--no-check", worker, "--redis", url, "--files", files, "--threads", "1"];
  return new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).spawn();
}

function bitsOf({ key, latentDigest, picture }: Runs["cells"][number]) {
  return { key, latentDigest, picture: picture.slice(-"0".repeat(64).length - ".png".length) };
}

/** What figures and tables say of the cells, but for what is measured anew by each: seconds and bytes. */
function tablesOf(runs: Runs) {
  const axes = { rows: "model", columns: "steps" } as const;
  return {
    cells: runs.cells.map(({ position, model, recipe, steps, sampler, guidance, prompt, seed, ...rest }) => ({
      ...{ position, model, recipe, steps, sampler, guidance, prompt, seed },
      ...Object.fromEntries(CELL_METRICS.map((metric) => [metric, rest[metric]])),
    })),
    summary: runs.summary.map(({ seconds: _, memory: __, warm: ___, ...rest }) => rest),
    pivots: (["psnr", "ssim", "latentDistance", "promptScore"] as const)
      .map((value) => pivot(runs, { ...axes, value }).markdown()),
  };
}

if (import.meta.main) {
  const [folder = ".scratch/sweep"] = Deno.args;
  const plan = pocketPlan({ prompts: 10, seeds: 5 });
  const { cells, ran, seconds } = await sameThreeWays(plan, { folder, log: console.log });
  console.log(`${cells} cells: the same bits and tables here, by 2 processes and on Redis by 2 workers.`);
  const load = Deno.loadavg()[0].toFixed(1);
  console.log(`Run now: ${JSON.stringify(ran)}; seconds: ${JSON.stringify(seconds)}; load ${load}.`);
  Deno.exit(0);
}
