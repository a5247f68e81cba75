/**
 * What the queue costs beside its cells, with cells that do nothing but write their files:
 *
 *     deno run -A bench/sweep_queue.ts cost [CELLS]      by one process with and without the queue, in turn
 *     deno run -A bench/sweep_queue.ts enqueue [CELLS]   planned cells into Redis, and this process's memory
 *     deno run -A bench/sweep_queue.ts drain [CELLS]     from the plan to the results: 1,000 cells, ten times as many, …
 *
 * Needs redis-server. `--v8-flags=--optimize-for-size` before -A, as `deno task sweep` has it, is what memory is told of.
 *
 * A busy machine lengthens the time on the wall: it is told for windows of cells, of which the least is the nearest to
 * the machine's own, with the processor time beside it.
 */

import { Store } from "fewstep/sweep/store.ts";
import { type SweepEvent, sweepPlan } from "fewstep/sweep/sweep.ts";
import { join } from "node:path";
import { readMemory, resetPeak } from "../lib/measure/memory.ts";
import { report, type Spread, spread } from "./harness.ts";
import { childrenProcessor, ownProcessor } from "./processor.ts";
import { type How, quiet, redisBytes, redisProcessor, run } from "./sweep_run.ts";
import { FAKE_CHILD, fakePlan } from "../tests/sweep/fake.ts";
import { inFolder } from "../tests/files.ts";
import { startRedis } from "../tests/sweep/servers.ts";

interface Tenth {
  /** Seconds that it took on the wall. */
  readonly seconds: number;
  /** Milliseconds a cell of processor time, of all processes and Redis. */
  readonly processor: number;
  /** Bytes that this process had resident at its end. */
  readonly resident: number;
  /** Of the machine, one minute's mean at its end. */
  readonly load: number;
}

interface Cost {
  readonly cells: number;
  /** Milliseconds a cell on the wall, over windows of cells from the first finished to the last. */
  readonly wall: Spread;
  /** Tenths of the cells, in order: whether cells grow dearer on the way. The first holds the start and the enqueuing. */
  readonly tenths: readonly Tenth[];
  /** Seconds from the plan to the results. */
  readonly seconds: number;
  /** Milliseconds a cell of processor time, from the plan to the results. */
  readonly processor: {
    /** Of this process: coordinator and worker. */
    readonly own: number;
    /** Of those that run cells, until the last was finished. */
    readonly processes: number;
    readonly redis: number;
  };
  /** Bytes that this process had resident at the most. */
  readonly peak: number;
  /** Of the machine, one minute's mean at the end. */
  readonly load: number;
}

/** Runs cells that do nothing. `window`: cells. */
async function costOf(
  how: How,
  { cells, processes, window }: { readonly cells: number; readonly processes: number; readonly window: number },
): Promise<Cost> {
  await using redis = how === "queue" ? await startRedis() : undefined;
  const plan = fakePlan({ cells, prompt: (index) => `a picture of things, number ${index}` });
  const [marks, tenths]: [number[], Tenth[]] = [[], []];
  const ofTenth = Math.floor(cells / 10);
  let [finished, processesTook, redisTook] = [0, 0, 0];
  resetPeak();
  const [began, own] = [performance.now(), ownProcessor()];
  let before = { now: began, took: own + childrenProcessor() };
  const onEvent = ({ event }: SweepEvent) => {
    if (event !== "finished") return;
    if (finished++ % window === 0) marks.push(performance.now());
    if (finished % ofTenth !== 0) return;
    processesTook = childrenProcessor();
    const [now, took] = [performance.now(), ownProcessor() + processesTook];
    tenths.push({
      seconds: (now - before.now) / 1000,
      processor: (took - before.took) / ofTenth,
      resident: readMemory().resident,
      load: Deno.loadavg()[0],
    });
    before = { now, took };
    console.log(how, finished, tenths[tenths.length - 1]);
  };
  await run(how, plan, { processes, module: FAKE_CHILD, onEvent, redis });
  const seconds = (performance.now() - began) / 1000;
  if (redis) redisTook = await redisProcessor(redis);
  const windows = marks.slice(1).map((mark, index) => (mark - marks[index]) / window);
  return {
    cells,
    wall: spread(windows),
    tenths,
    seconds,
    processor: {
      own: (ownProcessor() - own) / cells,
      processes: (processesTook - redisTook) / cells, // Redis is a child of this process, too
      redis: redisTook / cells,
    },
    peak: readMemory().peak,
    load: Deno.loadavg()[0],
  };
}

const ROUNDS = 3;

async function cost(cells: number): Promise<void> {
  const found: Record<How, Cost[]> = { workers: [], queue: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const how of ["workers", "queue"] as const) {
      found[how].push(await costOf(how, { cells, processes: 1, window: 50 }));
      console.log(how, found[how][round]);
    }
  }
  const added = (of: (cost: Cost) => number) => Math.min(...found.queue.map(of)) - Math.min(...found.workers.map(of));
  await report("sweep_queue_cost", `deno run -A bench/sweep_queue.ts cost ${cells}`, {
    added: {
      // milliseconds a cell, the best of the rounds: the processor time is of tenths, of everything that runs
      wallLeast: added(({ wall }) => wall.min),
      wallMedian: added(({ wall }) => wall.median),
      processorLeast: added(({ tenths }) => Math.min(...tenths.map(({ processor }) => processor))),
      processorMedian: added(({ tenths }) => spread(tenths.map(({ processor }) => processor)).median),
    },
    ...found,
  });
}

async function drain(cells: number): Promise<void> {
  const costs: Cost[] = [];
  const command = `deno run --v8-flags=--optimize-for-size -A bench/sweep_queue.ts drain ${cells}`;
  for (let count = 1000; count <= cells; count *= 10) {
    costs.push(await costOf("queue", { cells: count, processes: 2, window: 100 }));
    await report("sweep_drain", command, { costs }); // the larger ones take long
  }
}

async function enqueue(cells: number): Promise<void> {
  const rows: unknown[] = [];
  await inFolder(async (folder) => {
    await using redis = await startRedis();
    for (const count of [...new Set([1000, cells])]) {
      const before = await redisBytes(redis);
      using store = await Store.open(join(folder, String(count)));
      resetPeak();
      const plan = fakePlan({ cells: count, models: ["a"], prompt: (index) => `a picture of things, number ${index}` });
      const planned = readMemory().resident;
      const stop = new AbortController();
      const [began, own] = [performance.now(), ownProcessor()];
      const { Redis } = await import("ioredis");
      const client = new Redis(redis.url);
      const running = sweepPlan(plan, store, {
        run: "queue",
        queue: { redis: redis.url, name: `n${count}` },
        signal: stop.signal,
        ...quiet,
      }).catch(() => {});
      const jobs = Math.ceil(count / Math.min(16, Math.ceil(count / 256)));
      const waiting = async () => {
        const [groupId] = await client.hkeys(`fewstep:n${count}:groups`);
        return groupId === undefined ? 0 : await client.zcard(`bull:fewstep-n${count}-${groupId}:prioritized`);
      };
      while (await waiting() < jobs) await new Promise((resolve) => setTimeout(resolve, 50));
      const seconds = (performance.now() - began) / 1000;
      const processor = (ownProcessor() - own) / 1000;
      stop.abort(new Error("Enough."));
      await running;
      const bytes = await redisBytes(redis) - before;
      client.disconnect();
      rows.push({
        ...{ cells: count, jobs, seconds, processorSeconds: processor, load: Deno.loadavg()[0] },
        ...{ planned, peak: readMemory().peak, redisBytes: bytes },
      });
      console.log(rows[rows.length - 1]);
    }
  });
  await report(
    "sweep_enqueue",
    `deno run --v8-flags=--optimize-for-size -A bench/sweep_queue.ts enqueue ${cells}`,
    { rows },
  );
}

if (import.meta.main) {
  const [what = "cost", count] = Deno.args;
  const number = count === undefined ? undefined : Number(count);
  if (what === "cost") await cost(number ?? 2000);
  else if (what === "enqueue") await enqueue(number ?? 100_000);
  else if (what === "drain") await drain(number ?? 100_000);
  else console.error(`Cannot measure ${what}: cost, enqueue or drain was wanted.`);
  Deno.exit(0);
}
