/**
 * How processes share cells, with cells that sleep and with real ones:
 *
 *     deno run -A bench/sweep.ts scaling [SECONDS [MOST]]   1 to 16 processes, a cell of 200 ms: efficiency
 *     deno run -A bench/sweep.ts real [SECONDS]             pocket cells: 2 processes against one, both of one thread; the shape
 *
 * `scaling` needs redis-server. Rates count for so many seconds from when every process has finished its first cell:
 * starting them is not in it. What the queue costs: `sweep_queue.ts`.
 */

import { type Plan, planComparison } from "fewstep/sweep/plan.ts";
import { measuredShape } from "fewstep/sweep/shape.ts";
import { Store } from "fewstep/sweep/store.ts";
import type { SweepEvent } from "fewstep/sweep/sweep.ts";
import { childrenProcessor, ownProcessor } from "./processor.ts";
import { report, spread } from "./harness.ts";
import { type How, run } from "./sweep_run.ts";
import { FAKE_CHILD, fakePlan } from "../tests/sweep/fake.ts";
import { inFolder } from "../tests/files.ts";
import { startRedis } from "../tests/sweep/servers.ts";

interface Steady {
  /**
   * Cells a second: of each process from its first finished cell to its last, all added up. So a window that begins and
   * ends amid cells counts none that is not whole.
   */
  readonly rate: number;
  /** Milliseconds between two cells of a process. */
  readonly gaps: readonly number[];
  /** Milliseconds a cell of this process's processor time: of the coordinator, and of the queue's worker. */
  readonly own: number;
  /** The same of the processes that run cells, and of Redis. NaN where it is not Linux. */
  readonly theirs: number;
  /** Of the machine while it was measured, one minute's mean. */
  readonly load: number;
}

interface SteadyOptions {
  readonly processes: number;
  readonly seconds: number;
  readonly module?: URL;
}

/** What holds for so many seconds from when every process has finished a cell. The plan must have more than enough. */
async function steadyRate(how: How, plan: Plan, { processes, seconds, module }: SteadyOptions): Promise<Steady> {
  await using redis = how === "queue" ? await startRedis() : undefined;
  const stop = new AbortController();
  const enough = new Error("Enough.");
  const finished = new Map<string, number[]>();
  let state: "starting" | "counting" | "ended" = "starting";
  let [own, theirs] = [0, 0];
  const onEvent = (event: SweepEvent) => {
    if (event.event !== "finished" || state === "ended") return;
    const times = finished.get(event.by) ?? [];
    if (state === "starting") times.length = 0;
    times.push(performance.now());
    finished.set(event.by, times);
    if (state === "counting" || finished.size < processes) return;
    state = "counting";
    [own, theirs] = [ownProcessor(), childrenProcessor()];
    setTimeout(() => {
      state = "ended";
      [own, theirs] = [ownProcessor() - own, childrenProcessor() - theirs];
      stop.abort(enough);
    }, 1000 * seconds);
  };
  try {
    await run(how, plan, { processes, module, onEvent, signal: stop.signal, redis });
  } catch (error) {
    if (error !== enough) throw error;
  }
  if (!stop.signal.aborted) throw new Error(`Cannot tell a rate: the cells ran out within ${seconds} seconds.`);
  const times = [...finished.values()];
  const counted = times.reduce((sum, { length }) => sum + length - 1, 0);
  const rateOf = (all: number[]) => all.length < 2 ? 0 : 1000 * (all.length - 1) / (all[all.length - 1] - all[0]);
  const rate = times.reduce((sum, all) => sum + rateOf(all), 0);
  const gaps = times.flatMap((all) => all.slice(1).map((time, index) => time - all[index]));
  return { rate, gaps, own: own / counted, theirs: theirs / counted, load: Deno.loadavg()[0] };
}

/** Milliseconds that a cell of the scaling sleeps. */
const SLEEP = 200;

/** Seconds that processes may take to start while the first of them are at work already. */
const START = 600;

async function scaling(seconds: number, most: number): Promise<void> {
  const rows = [];
  for (const how of ["workers", "queue"] as const) {
    let one: number | undefined;
    for (const processes of [1, 2, 4, 8, 16].filter((processes) => processes <= most)) {
      const cells = Math.ceil(processes * (seconds + START) * 1000 / SLEEP);
      const plan = fakePlan({ cells, prompt: () => `sleep ${SLEEP}` });
      const { rate, gaps, own, theirs, load } = await steadyRate(how, plan, { processes, seconds, module: FAKE_CHILD });
      one ??= rate;
      rows.push({
        how,
        processes,
        cellsPerSecond: rate,
        ofOne: rate / (one * processes),
        ofIdeal: rate * SLEEP / (1000 * processes),
        millisecondsBetweenCells: spread(gaps),
        processorMilliseconds: { coordinatorAndWorker: own, processes: theirs },
        load,
      });
      console.log(rows[rows.length - 1]);
    }
  }
  await report("sweep_scaling", `deno run -A bench/sweep.ts scaling ${seconds} ${most}`, {
    sleepMilliseconds: SLEEP,
    rows,
  });
}

async function real(seconds: number): Promise<void> {
  const plan = await planComparison({
    models: [{ name: "base", model: "models/pocket/base", recipes: [{ steps: 4 }] }],
    prompts: ["a sunflower in a meadow"],
    seeds: Array.from({ length: 5000 }, (_, seed) => seed),
  });
  const found = new Map<number, Steady[]>([[1, []], [2, []]]);
  for (let round = 0; round < 3; round++) {
    for (const [processes, steady] of found) {
      const one = await steadyRate("workers", plan, { processes, seconds });
      steady.push(one);
      const [rate, theirs] = [one.rate.toFixed(3), one.theirs.toFixed(0)];
      console.log(`${processes} of one thread: ${rate} pocket cells a second, ${theirs} ms of processor a cell`);
    }
  }
  const best = [...found.values()].map((steady) => Math.max(...steady.map(({ rate }) => rate)));
  const least = [...found.values()].map((steady) => Math.min(...steady.map(({ theirs }) => theirs)));
  console.log(
    `2 processes: ${(best[1] / best[0]).toFixed(2)} × the rate of one, by the best of three each; by processor time ` +
      `${(2 * least[0] / least[1]).toFixed(2)} × on free cores; load ${Deno.loadavg()[0].toFixed(1)}`,
  );
  await inFolder(async (folder) => {
    using store = await Store.open(folder);
    const log = (message: string) => console.log(message);
    const shape = await measuredShape(plan, plan.cells, { place: folder, store, log });
    console.log(`measured: ${shape.processes} processes of ${shape.threads} threads`);
  });
}

if (import.meta.main) {
  const [what = "scaling", seconds = "10", most = "16"] = Deno.args;
  if (what === "scaling") await scaling(Number(seconds), Number(most));
  else if (what === "real") await real(Number(seconds));
  else console.error(`Cannot measure ${what}: scaling or real was wanted.`);
  Deno.exit(0);
}
