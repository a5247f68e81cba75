/**
 * What sweeps cost beside their cells, with cells that do nothing or sleep:
 *
 *     deno run -A bench/sweep.ts scaling [CELLS_EACH]   1 to 16 processes, a cell of 200 ms: efficiency
 *     deno run -A bench/sweep.ts queue [CELLS]          a cell that does nothing, by processes and by the queue
 *     deno run -A bench/sweep.ts enqueue [CELLS]        planned cells into Redis, and this process's memory
 *
 * Needs redis-server. Efficiency counts from when every process has finished its first cell: starting them is not in it.
 */

import { Store } from "fewstep/sweep/store.ts";
import { sweepPlan } from "fewstep/sweep/sweep.ts";
import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { join } from "node:path";
import { readMemory, resetPeak } from "../lib/measure/memory.ts";
import { FAKE_CHILD, fakePlan } from "../tests/sweep/fake.ts";
import { inFolder } from "../tests/files.ts";
import { type Server, startRedis } from "../tests/sweep/servers.ts";

const quiet = { onProgress: () => {}, warn: () => {} };

interface Timed {
  /** Seconds at which cells were finished, and who finished them. */
  readonly finished: readonly { readonly at: number; readonly by: string }[];
  readonly seconds: number;
}

/** Runs sleeping cells by so many processes. */
async function run(how: "workers" | "queue", cells: number, processes: number, sleep: number): Promise<Timed> {
  const finished: { at: number; by: string }[] = [];
  let seconds = 0;
  await inFolder(async (folder) => {
    using store = await Store.open(folder);
    const plan = fakePlan({ cells, prompt: () => `sleep ${sleep}` });
    const onEvent = (event: { readonly event: string; readonly by?: string }) => {
      if (event.event === "finished") finished.push({ at: performance.now() / 1000, by: event.by ?? "" });
    };
    const module = FAKE_CHILD;
    const began = performance.now();
    if (how === "workers") {
      await sweepPlan(plan, store, { run: how, workers: { processes, threads: 1, module }, onEvent, ...quiet });
    } else {
      await using redis = await startRedis();
      const stop = new AbortController();
      const working = runQueueWorker({ redis: redis.url, files: folder, processes, module, signal: stop.signal });
      await sweepPlan(plan, store, { run: how, queue: { redis: redis.url }, onEvent, ...quiet });
      stop.abort();
      await working;
    }
    seconds = (performance.now() - began) / 1000;
  });
  return { finished, seconds };
}

/** Cells a second from when all processes had begun, to when the first of them ran out of cells. */
function steadyRate({ finished }: Timed, processes: number): number {
  const firsts = new Map<string, number>();
  for (const { at, by } of finished) if (!firsts.has(by)) firsts.set(by, at);
  const from = Math.max(...firsts.values());
  const after = finished.filter(({ at }) => at > from).slice(0, -processes);
  return after.length / (after[after.length - 1].at - from);
}

async function scaling(each: number): Promise<void> {
  for (const how of ["workers", "queue"] as const) {
    const one = steadyRate(await run(how, 2 * each, 1, 200), 1);
    console.log(`${how}: 1 process ${one.toFixed(2)} cells a second, of 5 possible: ${(one / 5).toFixed(3)}`);
    for (const processes of [2, 4, 8, 16]) {
      const rate = steadyRate(await run(how, (each + 2) * processes, processes, 200), processes);
      const [ofOne, ofAll] = [rate / (one * processes), rate / (5 * processes)].map((share) => share.toFixed(3));
      console.log(
        `${how}: ${processes} processes ${rate.toFixed(2)} cells a second: ${ofOne} of one's, ${ofAll} of ideal`,
      );
    }
  }
}

async function queue(cells: number): Promise<void> {
  const differences: number[] = [];
  for (let round = 0; round < 3; round++) {
    const [direct, queued] = [await run("workers", cells, 1, 0), await run("queue", cells, 1, 0)]
      .map((timed) => 1000 / steadyRate(timed, 1));
    differences.push(queued - direct);
    console.log(`a cell: ${direct.toFixed(2)} ms by a process, ${queued.toFixed(2)} ms by the queue`);
  }
  console.log(`the queue adds ${Math.min(...differences).toFixed(2)} ms a cell at the least of ${differences.length}`);
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

async function redisBytes({ url }: Server): Promise<number> {
  const { Redis } = await import("ioredis");
  const client = new Redis(url);
  const text = await client.info("memory");
  client.disconnect();
  return Number(/^used_memory:(\d+)/m.exec(text)?.[1]);
}

if (import.meta.main) {
  const [what = "scaling", count] = Deno.args;
  const cells = count === undefined ? undefined : Number(count);
  if (what === "scaling") await scaling(cells ?? 20);
  else if (what === "queue") await queue(cells ?? 1000);
  else if (what === "enqueue") await enqueue(cells ?? 100_000);
  else console.error(`Cannot measure ${what}: scaling, queue or enqueue was wanted.`);
  Deno.exit(0);
}
