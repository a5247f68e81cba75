/** What breaks while a sweep runs on a queue: processes, Redis, the line between them. */

import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { Store } from "fewstep/sweep/store.ts";
import { sweepPlan } from "fewstep/sweep/sweep.ts";
import { join } from "node:path";
import { equal } from "../assert.ts";
import { inFolder } from "../files.ts";
import { FAKE_CHILD, fakePlan } from "./fake.ts";
import { killAtRandom } from "./kills.ts";
import { FAKE } from "./subjects.ts";
import { lineTo } from "./proxy.ts";
import { REDIS, skipReason, startRedis } from "./servers.ts";

const ignore = skipReason("Redis", REDIS, "redis-server");

Deno.test("workers, coordinator and Redis killed at random moments: every cell once, none lost, none corrupt", {
  ignore,
}, async () => {
  const { kills } = await killAtRandom(FAKE, 6);
  equal(kills, 6);
});

Deno.test("a line that goes silent, is cut and is silent for ever heals; a Redis that lost all is filled again", {
  ignore,
}, () =>
  inFolder(async (folder) => {
    await using redis = await startRedis();
    await using line = lineTo(redis.port);
    const stop = new AbortController();
    const log: string[] = [];
    const working = runQueueWorker({
      redis: `redis://127.0.0.1:${line.port}`,
      files: join(folder, "runs"),
      takeOverSeconds: 1,
      module: FAKE_CHILD,
      signal: stop.signal,
      log: (message) => void log.push(message),
    });
    const plan = fakePlan({ cells: 80, prompt: () => "sleep 10" });
    using store = await Store.open(join(folder, "runs"));
    const breaks: readonly (readonly [done: number, name: string, action: () => void | Promise<void>])[] = [
      [5, "silent", () => {
        line.silence();
        setTimeout(line.restore, 2500);
      }],
      [20, "cut", () => line.cut()],
      [35, "silent for ever", () => line.abandon()],
      [50, "lost all", () => redis.restart()], // it keeps nothing
    ];
    const happened: string[] = [];
    const runs = await sweepPlan(plan, store, {
      run: "queue",
      queue: { redis: redis.url, takeOverSeconds: 1 },
      warn: () => {},
      onProgress: async ({ done }) => {
        const next = breaks[happened.length];
        if (next === undefined || done < next[0]) return;
        happened.push(next[1]);
        await next[2]();
      },
    });
    stop.abort();
    await working;
    equal(happened, ["silent", "cut", "silent for ever", "lost all"]);
    equal([runs.cells.length, runs.failed], [80, []]);
  }));
