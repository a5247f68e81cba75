/** When a queue's cells run, and over which line: rates, priorities, TLS. */

import { Redis } from "ioredis";
import { join } from "node:path";
import { match } from "node:assert/strict";
import type { Runs } from "fewstep";
import type { Plan } from "fewstep/sweep/plan.ts";
import { bundlesOf } from "fewstep/sweep/queue/bundle.ts";
import { DEFAULT_NAME, keysOf, type Priority } from "fewstep/sweep/queue/connection.ts";
import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { Store } from "fewstep/sweep/store.ts";
import { type SweepEvent, sweepPlan } from "fewstep/sweep/sweep.ts";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { FAKE_CHILD, fakePlan } from "./fake.ts";
import { freePort, OPENSSL, REDIS, type Server, skipReason, startRedis } from "./servers.ts";

const ignore = skipReason("Redis", REDIS, "redis-server");

interface Coordinating {
  readonly priority?: Priority;
  readonly onEvent?: (event: SweepEvent) => void;
}

async function coordinate(folder: string, name: string, plan: Plan, redis: Server, options: Coordinating = {}) {
  const { priority, onEvent } = options;
  using store = await Store.open(join(folder, name));
  return await sweepPlan(plan, store, {
    run: "queue",
    queue: { redis: redis.url, priority },
    files: join(folder, "files"),
    onEvent,
    onProgress: () => {},
    warn: () => {},
  });
}

Deno.test("a worker runs no more cells a minute than its rate", { ignore }, () =>
  inFolder(async (folder) => {
    await using redis = await startRedis();
    const stop = new AbortController();
    const files = join(folder, "runs");
    const working = runQueueWorker({ redis: redis.url, files, rate: 240, module: FAKE_CHILD, signal: stop.signal });
    const at: number[] = [];
    await coordinate(folder, "runs", fakePlan({ cells: 9 }), redis, {
      onEvent: ({ event }) => void (event === "finished" && at.push(performance.now())),
    });
    stop.abort();
    await working;
    // The second may follow the first at once, which has waited for its process to start.
    const taken = at[at.length - 1] - at[1];
    ok(taken > 1250, `eight cells, a quarter of a second apart, came within ${taken.toFixed(0)} ms`);
  }));

Deno.test("cells of a high priority go before others that were there first, of their model and of another", {
  ignore,
}, () =>
  inFolder(async (folder) => {
    await using redis = await startRedis();
    const log = join(folder, "log");
    const low = fakePlan({ models: ["a", "b"], cells: 20, prompt: () => `log ${log} low` });
    const high = fakePlan({ models: ["b"], cells: 10, prompt: () => `log ${log} high` });
    const running: Promise<Runs>[] = [];
    for (const [priority, plan] of [["low", low], ["high", high]] as const) {
      running.push(coordinate(folder, "runs", plan, redis, { priority }));
      await waiting(redis, plan, priority);
    }
    const stop = new AbortController();
    const files = join(folder, "runs");
    const working = runQueueWorker({ redis: redis.url, files, module: FAKE_CHILD, signal: stop.signal });
    equal((await Promise.all(running)).map(({ cells }) => cells.length), [40, 10]);
    stop.abort();
    await working;
    const keys = (await Deno.readTextFile(log)).trimEnd().split("\n").map((line) => line.split(" ")[2]);
    equal(new Set(keys.slice(0, 10)), new Set(high.cells.map(({ key }) => key)));
  }));

/** Waits until a plan's jobs are all in their queues: bullmq keeps those without a number apart. */
async function waiting(redis: Server, plan: Plan, priority: Priority): Promise<void> {
  const client = new Redis(redis.url);
  const jobs = [...bundlesOf(plan, () => true)];
  const queues = [...new Set(jobs.map(({ groupId }) => `bull:${keysOf(DEFAULT_NAME).queue(groupId)}`))];
  const count = (queue: string) =>
    priority === "high" ? client.llen(`${queue}:wait`) : client.zcard(`${queue}:prioritized`);
  for (;;) {
    const counts = await Promise.all(queues.map(count));
    if (counts.reduce((sum, one) => sum + one, 0) >= jobs.length) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  client.disconnect();
}

Deno.test(
  "rediss:// speaks TLS: to a Redis whose certificate is known, and to no other",
  { ignore },
  () =>
    inFolder(async (folder) => {
      const at = (name: string) => join(folder, `${name}.pem`);
      const make = async (name: string, ...args: string[]) => {
        const { success } = await new Deno.Command(OPENSSL ?? "openssl", {
          args: ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`, ...args]
            .concat(["-keyout", at(`${name}-key`), "-out", at(name)]),
          stderr: "null",
        }).output();
        ok(success, "openssl made a certificate");
      };
      await make("authority");
      const signed = ["-CA", at("authority"), "-CAkey", at("authority-key")];
      const extensions = ["subjectAltName=IP:127.0.0.1", "basicConstraints=critical,CA:FALSE"];
      await make("server", ...signed, ...extensions.flatMap((extension) => ["-addext", extension]));
      const port = freePort();
      const tls = ["--tls-port", String(port), "--tls-cert-file", at("server"), "--tls-key-file", at("server-key")];
      await using _redis = await startRedis({
        args: [...tls, "--tls-ca-cert-file", at("authority"), "--tls-auth-clients", "no"],
        password: "secret",
      });
      const work = async (environment: Record<string, string>) => {
        const { code, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--quiet",
            "-A",
            "--no-check",
            "lib/cli/worker.ts",
            "--when-idle",
            "exit",
            "--idle-seconds",
            "0",
          ]
            .concat(["--redis", `rediss://:secret@127.0.0.1:${port}`, "--files", folder]),
          env: environment,
        }).output();
        return { code, stderr: new TextDecoder().decode(stderr) };
      };
      const [known, unknown] = await Promise.all([work({ DENO_CERT: at("authority") }), work({})]);
      equal(known, { code: 0, stderr: "Ready with 1 process.\nNothing waits: ending.\n" });
      equal(unknown.code, 1);
      match(unknown.stderr, /^Cannot reach Redis at 127\.0\.0\.1:\d+: .*certificate/i);
    }),
);
