import { Store } from "fewstep/sweep/store.ts";
import { sweepPlan } from "fewstep/sweep/sweep.ts";
import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { bundlesOf, tasksOf } from "fewstep/sweep/queue/bundle.ts";
import { taskOf } from "fewstep/sweep/task.ts";
import type { Plan } from "fewstep/sweep/plan.ts";
import type { SweepOptions } from "fewstep/sweep/sweep.ts";
import type { SweepState } from "fewstep/sweep/monitor.ts";
import type { Runs } from "fewstep";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { FAKE_CHILD, fakePlan } from "./fake.ts";
import { REDIS, type Server, skipReason, startRedis } from "./servers.ts";

const ignore = skipReason("Redis", REDIS, "redis-server");

async function coordinate(folder: string, plan: Plan, redis: Server, options: SweepOptions = {}): Promise<Runs> {
  using store = await Store.open(join(folder, "runs"));
  return await sweepPlan(plan, store, {
    run: "queue",
    queue: { redis: redis.url },
    onProgress: () => {},
    warn: () => {},
    ...options,
  });
}

/** Workers in this process, whose cells run in processes of their own. Ended with what they run finished. */
function workers(folder: string, redis: Server, count: number): AsyncDisposable {
  const stop = new AbortController();
  const running = Array.from({ length: count }, () =>
    runQueueWorker({
      redis: redis.url,
      files: join(folder, "runs"),
      module: FAKE_CHILD,
      signal: stop.signal,
    }));
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(running);
    },
  };
}

Deno.test("bundles hold every missing cell once, as it was planned, and are called the same whatever is missing", () => {
  const plan = fakePlan({ models: ["a", "b"], cells: 600, prompt: (index) => `cell ${index}` });
  const all = [...bundlesOf(plan, () => true)];
  const tasks = all.flatMap(({ bundle }) => tasksOf(JSON.parse(JSON.stringify(bundle))).tasks);
  equal(tasks.map(({ key }) => key), plan.cells.map(({ key }) => key));
  equal(tasks[700], taskOf(plan.cells[700]));
  const gone = new Set(plan.cells.slice(0, 5).map(({ key }) => key));
  const rest = [...bundlesOf(plan, (key) => !gone.has(key))];
  equal(rest.flatMap(({ bundle }) => bundle.cells).length, 1195);
  const names = new Set(all.map(({ jobId }) => jobId));
  ok(rest.every(({ jobId }) => names.has(jobId)), "no new names");
  equal(new Set(all.map(({ groupId, bundle }) => `${groupId} ${bundle.group.model.name}`)).size, 2, "a group a model");
});

Deno.test("two workers of a queue run every cell once; what fails is tried three times and set aside", {
  ignore,
}, () =>
  inFolder(async (folder) => {
    await using redis = await startRedis();
    await using _workers = workers(folder, redis, 2);
    const log = join(folder, "log");
    const words = (index: number) => `log ${log}${index === 4 ? " throw" : index === 9 ? " die" : ""}`;
    const plan = fakePlan({ models: ["a", "b"], cells: 30, prompt: words });
    const states: SweepState[] = [];
    const runs = await coordinate(folder, plan, redis, { onProgress: (state) => void states.push(state) });
    equal([runs.cells.length, runs.failed.length], [56, 4]);
    equal(new Set(runs.failed.map(({ tries }) => tries)), new Set([3]));
    equal(runs.failed.filter(({ error }) => error === "it was told to").length, 2);
    equal(runs.failed.filter(({ error }) => /it was ended by SIGKILL\.$/.test(error)).length, 2);
    const keys = (await Deno.readTextFile(log)).trimEnd().split("\n").map((line) => line.split(" ")[2]);
    equal(keys.length, 56 + 12, "every cell once, and the four that fail three times");
    ok((states.at(-1)?.workers.length ?? 0) >= 2, "both are seen");
  }));

Deno.test(
  "a worker that is told to end finishes its cell and gives the others back",
  { ignore },
  () =>
    inFolder(async (folder) => {
      await using redis = await startRedis();
      const log = join(folder, "log");
      const plan = fakePlan({ cells: 600, prompt: () => `sleep 20 log ${log}` }); // bundles of three
      const stop = new AbortController();
      const coordinating = coordinate(folder, plan, redis, { signal: stop.signal });
      {
        await using _workers = workers(folder, redis, 1);
        while (!(await Deno.readTextFile(log).catch(() => "")).includes("\n")) {
          await new Promise((r) => setTimeout(r, 20));
        }
      }
      const begun = (await Deno.readTextFile(log)).trimEnd().split("\n").length;
      await new Promise((resolve) => setTimeout(resolve, 1000)); // the coordinator looks
      stop.abort(new Error("Stopped."));
      await throwsSentence(() => coordinating, /^Stopped\.$/);
      using store = await Store.open(join(folder, "runs"));
      const stored = await store.finished(plan.cells.map(({ key }) => key));
      equal(stored.size, begun, "what had begun was finished and told");
    }),
);

Deno.test("a model that no worker can open costs its own cells alone", { ignore }, () =>
  inFolder(async (folder) => {
    await using redis = await startRedis();
    await using _workers = workers(folder, redis, 1);
    const runs = await coordinate(folder, fakePlan({ models: ["missing", "b"], cells: 3 }), redis);
    equal([runs.cells.length, runs.failed.length], [3, 3]);
    equal(runs.failed[0].error, "Cannot open missing: it does not exist.");
  }));

Deno.test(
  "Redis that cannot be reached, or refuses, is told in a sentence without the password",
  { ignore },
  () =>
    inFolder(async (folder) => {
      await using redis = await startRedis({ password: "secret" });
      const plan = fakePlan({ cells: 1 });
      const refused = { ...redis, url: redis.url.replace("secret", "wrong") };
      await throwsSentence(
        () => coordinate(folder, plan, refused),
        /^Cannot reach Redis at 127\.0\.0\.1:\d+: WRONGPASS/,
      );
      await throwsSentence(
        () => coordinate(folder, plan, { ...redis, url: "redis://127.0.0.1:1" }),
        /^Cannot reach Redis at 127\.0\.0\.1:1: .*ECONNREFUSED.*Wanted is redis:\/\/USER:PASSWORD@HOST:PORT/,
      );
      await using _workers = workers(folder, redis, 1);
      equal((await coordinate(folder, plan, redis)).cells.length, 1);
    }),
);
