/**
 * What sweeps cost beside their cells, with cells that do nothing or sleep, and what processes give with real ones:
 *
 *     deno run -A bench/sweep.ts scaling [SECONDS]   1 to 16 processes, a cell of 200 ms: efficiency
 *     deno run -A bench/sweep.ts queue [CELLS]       a cell that does nothing, by processes and by the queue: ms, CPU
 *     deno run -A bench/sweep.ts enqueue [CELLS]     planned cells into Redis, and this process's memory
 *     deno run -A bench/sweep.ts real [SECONDS]      pocket cells: 2 processes against one, both of one thread; the shape
 *
 * Needs redis-server. Rates count for so many seconds from when every process has finished its first cell: starting them
 * is not in it.
 */

import { type Plan, planComparison } from "fewstep/sweep/plan.ts";
import { measuredShape } from "fewstep/sweep/shape.ts";
import { Store } from "fewstep/sweep/store.ts";
import { type SweepEvent, type SweepOptions, sweepPlan } from "fewstep/sweep/sweep.ts";
import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { join } from "node:path";
import { readMemory, resetPeak } from "../lib/measure/memory.ts";
import { childrenProcessor, ownProcessor } from "./processor.ts";
import { FAKE_CHILD, fakePlan } from "../tests/sweep/fake.ts";
import { inFolder } from "../tests/files.ts";
import { type Server, startRedis } from "../tests/sweep/servers.ts";

const quiet = { onProgress: () => {}, warn: () => {} };

type How = "workers" | "queue";
type Onward = (event: SweepEvent) => void;

/** Runs a plan by so many processes; those of a queue belong to one worker in this process. */
async function run(
  how: How,
  plan: Plan,
  { processes, module, onEvent, signal }: {
    readonly processes: number;
    readonly module?: URL;
    readonly onEvent: Onward;
    readonly signal?: AbortSignal;
  },
  redis: Server | undefined,
): Promise<void> {
  await inFolder(async (folder) => {
    using store = await Store.open(folder);
    const shared: SweepOptions = { run: how, onEvent, signal, ...quiet };
    if (redis === undefined) {
      await sweepPlan(plan, store, { ...shared, workers: { processes, threads: 1, module } });
      return;
    }
    const stop = new AbortController();
    const name = crypto.randomUUID();
    const working = runQueueWorker({
      redis: redis.url,
      name,
      files: folder,
      processes,
      threads: 1,
      module,
      signal: stop.signal,
    });
    try {
      await sweepPlan(plan, store, { ...shared, queue: { redis: redis.url, name } });
    } finally {
      stop.abort();
      await working;
    }
  });
}

interface Steady {
  /** Cells a second. */
  readonly rate: number;
  /** Milliseconds a cell of this process's processor time: of the coordinator, and of the queue's worker. */
  readonly own: number;
  /** The same of the processes that run cells, which a busy machine changes little. NaN where it is not Linux. */
  readonly theirs: number;
}

/** What holds for so many seconds from when every process has finished a cell. The plan must have more than enough. */
async function steadyRate(
  how: How,
  plan: Plan,
  { processes, seconds, module }: { readonly processes: number; readonly seconds: number; readonly module?: URL },
): Promise<Steady> {
  await using redis = how === "queue" ? await startRedis() : undefined;
  const stop = new AbortController();
  const enough = new Error("Enough.");
  const ready = new Set<string>();
  let counted = 0;
  let began: number | undefined;
  let taken: number | undefined;
  let [own, theirs] = [0, 0];
  const onEvent = (event: SweepEvent) => {
    if (event.event !== "finished" || taken !== undefined) return;
    if (began !== undefined) counted++;
    ready.add(event.by);
    if (began !== undefined || ready.size < processes) return;
    began = performance.now();
    [own, theirs] = [ownProcessor(), childrenProcessor()];
    setTimeout(() => {
      taken = performance.now() - (began ?? 0);
      [own, theirs] = [ownProcessor() - own, childrenProcessor() - theirs];
      stop.abort(enough);
    }, 1000 * seconds);
  };
  try {
    await run(how, plan, { processes, module, onEvent, signal: stop.signal }, redis);
  } catch (error) {
    if (error !== enough) throw error;
  }
  if (taken === undefined) throw new Error(`Cannot tell a rate: the cells ran out within ${seconds} seconds.`);
  return { rate: 1000 * counted / taken, own: own / counted, theirs: theirs / counted };
}

/** Milliseconds that a cell of the scaling sleeps. */
const SLEEP = 200;

/** Seconds that processes may take to start while the first of them are at work already. */
const START = 60;

async function scaling(seconds: number): Promise<void> {
  for (const how of ["workers", "queue"] as const) {
    const rateOf = async (processes: number) => {
      const cells = Math.ceil(processes * (seconds + START) * 1000 / SLEEP);
      const plan = fakePlan({ cells, prompt: () => `sleep ${SLEEP}` });
      return await steadyRate(how, plan, { processes, seconds, module: FAKE_CHILD });
    };
    let one: number | undefined;
    for (const processes of [1, 2, 4, 8, 16]) {
      const { rate, own } = await rateOf(processes);
      one ??= rate;
      const [ofOne, ofAll] = [rate / (one * processes), rate * SLEEP / (1000 * processes)];
      console.log(
        `${how}: ${processes} processes ${rate.toFixed(2)} cells a second: ${ofOne.toFixed(3)} of one's, ` +
          `${ofAll.toFixed(3)} of ideal; ${own.toFixed(2)} ms of processor a cell; load ${
            Deno.loadavg()[0].toFixed(1)
          }`,
      );
    }
  }
}

interface Cost {
  /** Milliseconds a cell, from the first finished to the last. */
  readonly wall: number;
  /** Milliseconds a cell of this process's processor time, from the beginning to the end: coordinator and worker. */
  readonly own: number;
  /** The same of Redis. */
  readonly redis: number;
}

async function costOf(how: How, cells: number): Promise<Cost> {
  await using redis = how === "queue" ? await startRedis() : undefined;
  const finished: number[] = [];
  let [own, theirs] = [0, 0];
  const before = redis && await processorOf(redis);
  const onEvent = ({ event }: SweepEvent) => {
    if (event === "finished") finished.push(performance.now());
    if (event !== "begun" && event !== "ended") return;
    own = ownProcessor() - own;
  };
  await run(how, fakePlan({ cells }), { processes: 1, module: FAKE_CHILD, onEvent }, redis);
  if (redis && before !== undefined) theirs = await processorOf(redis) - before;
  const wall = (finished[finished.length - 1] - finished[0]) / (finished.length - 1);
  return { wall, own: own / cells, redis: theirs / cells };
}

async function queue(cells: number): Promise<void> {
  const least = { wall: Infinity, own: Infinity, redis: Infinity };
  for (let round = 0; round < 3; round++) {
    const [direct, queued] = [await costOf("workers", cells), await costOf("queue", cells)];
    least.wall = Math.min(least.wall, queued.wall - direct.wall);
    least.own = Math.min(least.own, queued.own - direct.own);
    least.redis = Math.min(least.redis, queued.redis);
    const told = [direct.wall, queued.wall, direct.own, queued.own, queued.redis].map((ms) => ms.toFixed(2));
    console.log(
      `a cell: ${told[0]} ms by a process, ${told[1]} ms by the queue; processor ${told[2]} and ${told[3]} ms of ` +
        `coordinator and worker, ${told[4]} ms of Redis`,
    );
  }
  const { wall, own, redis } = least;
  console.log(
    `the queue adds, at the least of three: ${wall.toFixed(2)} ms a cell; processor ${own.toFixed(2)} ms of ` +
      `coordinator and worker, ${redis.toFixed(2)} ms of Redis`,
  );
}

/** Milliseconds of processor time that Redis has taken. */
async function processorOf(redis: Server): Promise<number> {
  const text = await infoOf(redis, "cpu");
  return 1000 * [/^used_cpu_sys:([\d.]+)/m, /^used_cpu_user:([\d.]+)/m]
    .reduce((sum, pattern) => sum + Number(pattern.exec(text)?.[1]), 0);
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

async function enqueue(cells: number): Promise<void> {
  await inFolder(async (folder) => {
    await using redis = await startRedis();
    for (const count of [...new Set([1000, cells])]) {
      const before = await redisBytes(redis);
      using store = await Store.open(join(folder, String(count)));
      resetPeak();
      const plan = fakePlan({ cells: count, models: ["a"], prompt: (index) => `a picture of things, number ${index}` });
      const planned = readMemory().resident;
      const stop = new AbortController();
      const began = performance.now();
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
      stop.abort(new Error("Enough."));
      await running;
      const bytes = await redisBytes(redis) - before;
      client.disconnect();
      console.log(
        `${count} cells in ${jobs} jobs: ${seconds.toFixed(2)} s, ${(1e6 * seconds / count).toFixed(0)} µs a cell; ` +
          `this process ${(planned / 1e6).toFixed(0)} MB planned, ${
            (readMemory().peak / 1e6).toFixed(0)
          } MB at the most; ` +
          `Redis ${(bytes / 1e6).toFixed(1)} MB`,
      );
    }
  });
}

async function redisBytes(redis: Server): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await infoOf(redis, "memory"))?.[1]);
}

async function infoOf({ url }: Server, section: string): Promise<string> {
  const { Redis } = await import("ioredis");
  const client = new Redis(url);
  const text = await client.info(section);
  client.disconnect();
  return text;
}

if (import.meta.main) {
  const [what = "scaling", count] = Deno.args;
  const number = count === undefined ? undefined : Number(count);
  if (what === "scaling") await scaling(number ?? 10);
  else if (what === "queue") await queue(number ?? 1000);
  else if (what === "enqueue") await enqueue(number ?? 100_000);
  else if (what === "real") await real(number ?? 10);
  else console.error(`Cannot measure ${what}: scaling, queue, enqueue or real was wanted.`);
  Deno.exit(0);
}
