/** The same plan in three ways: here, in two processes, and on a queue with two workers. */

import { sweep } from "fewstep";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { match } from "node:assert/strict";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { freePort, REDIS, skipReason, startRedis } from "../sweep/servers.ts";

const model = goldenPath("tiny-deep");

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function spawn(file: string, ...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", file, ...args],
    env: { MALLOC_MMAP_THRESHOLD_: "65536" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function ended(process: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await process.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** What a store's rows say of the bits, read without the kit. */
function bitsIn(store: string): readonly unknown[] {
  using database = new DatabaseSync(join(store, "store.sqlite"), { readOnly: true });
  return database.prepare("SELECT key, content, picture, latent, latentDigest FROM cells ORDER BY key").all()
    .map((row) => ({ ...row }));
}

Deno.test("here, in two processes and on a queue of two workers, a plan gives the same bits and tables", {
  ignore: skipReason("Redis", REDIS, "redis-server"),
}, () =>
  inFolder(async (folder) => {
    const plan = {
      models: [
        { name: "plain", model, recipes: [{ recipe: "base", steps: 2, guidance: 2 }] },
        { name: "lightning", model, recipe: "lightning-2step" },
      ],
      prompts: ["gold fish", "snow"],
      seeds: [1],
      size: { width: 32, height: 32 },
    };
    const file = join(folder, "plan.json");
    await Deno.writeTextFile(file, JSON.stringify(plan));
    const store = (name: string) => join(folder, name);
    const here = await sweep(plan, { store: store("here"), onProgress: () => {} });

    const log = join(folder, "log.jsonl");
    const options = ["--processes", "2", "--threads", "1", "--json", "--log", log, "--watch"];
    const inProcesses = await ended(spawn("lib/cli/sweep.ts", file, "--store", store("workers"), ...options));
    equal(inProcesses.code, 0, inProcesses.stderr);
    match(inProcesses.stderr, /4\/4 cells/);

    await using redis = await startRedis({ password: "secret" });
    const place = ["--files", store("shared"), "--redis", redis.url];
    const workers = [1, 2].map(() => spawn("lib/cli/worker.ts", ...place, "--threads", "1"));
    const port = freePort();
    const coordinator = ["--store", store("queue"), ...place, "--json", "--metrics", String(port)];
    const onQueue = await ended(spawn("lib/cli/sweep.ts", file, ...coordinator));
    for (const worker of workers) worker.kill("SIGTERM");
    for (const { code, stderr } of await Promise.all(workers.map(ended))) {
      equal(code, 0, stderr);
      match(stderr, /^Ready with 1 process\.\n/);
      match(stderr, /Ending: the cells that run are finished first\.\n$/);
    }
    equal(onQueue.code, 0, onQueue.stderr);
    equal(onQueue.stderr, `Metrics at http://127.0.0.1:${port}/metrics.\n`);

    equal(bitsIn(store("workers")), bitsIn(store("here")));
    equal(bitsIn(store("queue")), bitsIn(store("here")));
    equal(bitsIn(store("here")).length, 4);
    const tables = [here, JSON.parse(inProcesses.stdout), JSON.parse(onQueue.stdout)].map(({ summary }) =>
      summary.map(({ model, recipe, steps, guidance, cells }: Record<string, unknown>) =>
        [model, recipe, steps, guidance, cells].join(" ")
      )
    );
    equal(tables[1], tables[0]);
    equal(tables[2], tables[0]);
    const events = (await Deno.readTextFile(log)).trimEnd().split("\n").map((line) => JSON.parse(line));
    equal([events[0].event, events.at(-1).event], ["begun", "ended"]);
    equal(events.filter(({ event }) => event === "finished").length, 4);
    ok(events.every(({ at }) => !Number.isNaN(Date.parse(at))), "each has its time");
  }));

Deno.test("sweep and worker: what cannot be used is refused in a sentence", () =>
  inFolder(async (folder) => {
    const refused = async (code: number, pattern: RegExp, file: string, ...args: string[]) => {
      const found = await ended(spawn(file, ...args));
      match(found.stderr, pattern);
      equal([found.code, found.stdout], [code, ""], found.stderr);
    };
    const plan = ["--model", `x=${model},recipe=lightning-2step`, "--prompt", "x", "--store", join(folder, "runs")];
    await Promise.all([
      refused(2, /^Missing --redis: /, "lib/cli/sweep.ts", ...plan, "--run", "queue"),
      refused(2, /^Cannot use --priority with --run workers/, "lib/cli/sweep.ts", ...plan, "--priority", "high"),
      refused(
        2,
        /^Cannot use --priority "urgent"/,
        "lib/cli/sweep.ts",
        ...plan,
        "--redis",
        "x",
        "--priority",
        "urgent",
      ),
      refused(1, /^Cannot serve metrics at x: PORT/, "lib/cli/sweep.ts", ...plan, "--run", "here", "--metrics", "x"),
    ]);
    await Promise.all([
      refused(2, /^Missing --files: /, "lib/cli/worker.ts", "--redis", "redis://127.0.0.1:1"),
      refused(2, /^Cannot use --queue "a b"/, "lib/cli/worker.ts", "--redis", "x", "--files", folder, "--queue", "a b"),
      refused(1, /^Cannot use the address of Redis/, "lib/cli/worker.ts", "--redis", "x", "--files", folder),
      refused(
        1,
        /^Cannot reach Redis at 127\.0\.0\.1:1: /,
        "lib/cli/worker.ts",
        "--redis",
        "redis://127.0.0.1:1",
        "--files",
        folder,
      ),
    ]);
  }));
