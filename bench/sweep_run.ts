/** Sweeps for benchmarks: run by processes of this machine, or by a queue with a Redis and a worker of its own. */

import type { Plan } from "fewstep/sweep/plan.ts";
import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { Store } from "fewstep/sweep/store.ts";
import { type SweepEvent, type SweepOptions, sweepPlan } from "fewstep/sweep/sweep.ts";
import { inFolder } from "../tests/files.ts";
import type { Server } from "../tests/sweep/servers.ts";

export type How = "workers" | "queue";

export const quiet = { onProgress: () => {}, warn: () => {} };

export interface RunOptions {
  readonly processes: number;
  /** What the processes run. Default: real cells. */
  readonly module?: URL;
  readonly onEvent: (event: SweepEvent) => void;
  readonly signal?: AbortSignal;
  /** Of a queue. */
  readonly redis?: Server;
}

/** Runs a plan in a new store by so many processes; those of a queue belong to one worker in this process. */
export async function run(
  how: How,
  plan: Plan,
  { processes, module, onEvent, signal, redis }: RunOptions,
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

/** Bytes that Redis holds. */
export async function redisBytes(redis: Server): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await infoOf(redis, "memory"))?.[1]);
}

/** Milliseconds of processor time that Redis has taken. */
export async function redisProcessor(redis: Server): Promise<number> {
  const text = await infoOf(redis, "cpu");
  return 1000 * [/^used_cpu_sys:([\d.]+)/m, /^used_cpu_user:([\d.]+)/m]
    .reduce((sum, pattern) => sum + Number(pattern.exec(text)?.[1]), 0);
}

async function infoOf({ url }: Server, section: string): Promise<string> {
  const { Redis } = await import("ioredis");
  const client = new Redis(url);
  const text = await client.info(section);
  client.disconnect();
  return text;
}
