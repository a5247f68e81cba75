/** `deno task sweep`: a comparison's cells run by many processes, here or on a queue. */

import type { SweepEvent, SweepOptions } from "../sweep/sweep.ts";
import type { SweepState } from "../sweep/monitor.ts";
import { type Arguments, type Command, main, type Running, UsageError } from "./args.ts";
import { COMPARISON, COMPARISON_FILE, comparisonIn, rowOf } from "./comparison_args.ts";
import { unwritable } from "../weights/files.ts";

export const sweepCommand: Command = {
  name: "sweep",
  about:
    "Runs a comparison's cells in several processes of this machine, or on every machine that runs `deno task worker`\n" +
    "with the same Redis. What was run before is taken from the store: the same command goes on where it was stopped.",
  positional: COMPARISON_FILE,
  kept: "What was finished is stored: the same command goes on from there.",
  options: {
    ...COMPARISON,
    run: { value: "here|workers|queue", about: "where cells run; default queue with --redis, else workers" },
    processes: { value: "N", about: "with workers: processes; default measured on this machine, once" },
    threads: { value: "N", about: "with workers: threads of each process; default measured, or the cores shared" },
    "memory-limit": { value: "GB", about: "with workers: what one process may use; its cell has failed beyond" },
    redis: { value: "URL", about: "redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS; or FEWSTEP_REDIS" },
    queue: { value: "NAME", about: "tells fleets on one Redis apart; default fewstep" },
    priority: { value: "high|normal|low", about: "among the sweeps of a queue; default normal" },
    store: { value: "FOLDER", about: "where numbers are kept, and files without --files; default runs" },
    files: { value: "PLACE", about: "a folder that all machines reach, or s3://BUCKET/PREFIX" },
    rows: { value: "URL", about: "postgres://USER:PASSWORD@HOST/DATABASE, where several coordinators write" },
    watch: { about: "draw how it goes even where stderr is no terminal, a line every ten seconds" },
    metrics: { value: "[HOST:]PORT", about: "serve /metrics for Prometheus; without HOST to this machine alone" },
    log: { value: "FILE", about: "add what happens to a file, a JSON object a line; - is stderr" },
    json: { about: "print one JSON object: summary, every cell with its files, and what failed" },
  },
  examples: [
    "deno task sweep --model base=models/pocket/base --steps 50,8,4,2 --prompts data/prompts/article.json",
    "deno task sweep plan.json --redis redis://queue:6379 --files s3://pictures/sweep --metrics 9464 --watch",
  ],
  run,
};

/** Milliseconds between two lines of --watch where stderr is no terminal. */
const LINE_MS = 10_000;

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const options = optionsOf(args);
  const comparison = await comparisonIn(args);
  const { sweep } = await import("../sweep/sweep.ts");
  let state: SweepState | undefined;
  const draw = await drawing(args.has("watch"));
  const address = args.text("metrics");
  const { serveMetrics } = await import("../sweep/metrics.ts");
  await using metrics = address === undefined ? undefined : serveMetrics(address, () => state);
  if (metrics) console.error(`Metrics at ${metrics.url}.`);
  using log = openLog(args.text("log"));
  const began = performance.now();
  const runs = await sweep(comparison, {
    ...options,
    signal,
    warn: (message) => console.error(message),
    onProgress: (now) => {
      state = now;
      return draw(now);
    },
    onEvent: log.write,
  });
  if (args.has("json")) {
    const { store, summary, cells, failed, plan: { omitted } } = runs;
    console.log(JSON.stringify({ store, omitted, summary, cells, failed }, null, 2));
  } else {
    const { tableText } = await import("../view/table.ts");
    console.log(tableText(runs.summary.map(rowOf)));
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`\n${runs.cells.length} cells in ${runs.store}, after ${seconds} s.`);
  }
  if (runs.failed.length > 0) {
    const count = runs.failed.length === 1 ? "1 cell" : `${runs.failed.length} cells`;
    throw new Error(
      `Cannot finish the whole sweep: ${count} failed and stand aside, see above. The others are stored.`,
    );
  }
}

function optionsOf(args: Arguments): SweepOptions {
  const redis = args.text("redis") ?? Deno.env.get("FEWSTEP_REDIS");
  const run = args.oneOf("run", ["here", "workers", "queue"]) ?? (args.has("redis") ? "queue" : "workers");
  if (run === "queue" && redis === undefined) {
    throw new UsageError("Missing --redis: where the queue is, for example --redis redis://HOST:6379.");
  }
  const wrong = run === "workers"
    ? ["redis", "queue", "priority"]
    : ["processes", "threads", "memory-limit", ...run === "here" ? ["redis", "queue", "priority"] : []];
  const unused = wrong.find((name) => args.has(name));
  if (unused !== undefined) throw new UsageError(`Cannot use --${unused} with --run ${run}: it says nothing there.`);
  const memory = args.number("memory-limit", "a number of gigabytes above 0", { least: 0.001 });
  return {
    run,
    store: args.text("store"),
    files: args.text("files"),
    rows: args.text("rows"),
    workers: {
      processes: args.number("processes", "a whole number from 1", { whole: true, least: 1 }),
      threads: args.number("threads", "a whole number from 1", { whole: true, least: 1 }),
      memoryLimit: memory && 1e9 * memory,
    },
    ...(run === "queue" && redis !== undefined && {
      queue: {
        redis,
        name: queueNameOf(args),
        priority: args.oneOf("priority", ["high", "normal", "low"]),
      },
    }),
  };
}

/** @throws UsageError for a name that keys of Redis cannot hold */
export function queueNameOf(args: Arguments): string | undefined {
  const name = args.text("queue");
  if (name === undefined || /^[\w.-]{1,64}$/.test(name)) return name;
  throw new UsageError(
    `Cannot use --queue ${JSON.stringify(name)}: up to 64 letters, digits, "-", "_", "." were wanted.`,
  );
}

/** How the sweep is drawn: in place in a terminal, by lines elsewhere and only when asked for. */
async function drawing(asked: boolean): Promise<(state: SweepState) => void | Promise<void>> {
  const { summaryOf, watch } = await import("../view/watch.ts");
  if (Deno.stderr.isTerminal() || !asked) return watch();
  let told = -Infinity;
  return (state) => {
    if (!state.ended && performance.now() - told < LINE_MS) return;
    told = performance.now();
    console.error(summaryOf(state));
  };
}

interface Log extends Disposable {
  readonly write?: (event: SweepEvent) => void;
}

/** @throws an error whose message is one sentence, where the file cannot be written */
function openLog(path: string | undefined): Log {
  if (path === undefined) return { [Symbol.dispose]() {} };
  const file = path === "-" ? undefined : openToAdd(path);
  return {
    write(event) {
      const line = new TextEncoder().encode(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
      (file ?? Deno.stderr).writeSync(line);
    },
    [Symbol.dispose]: () => file?.close(),
  };
}

function openToAdd(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { append: true, create: true });
  } catch (error) {
    throw unwritable(path, error);
  }
}

if (import.meta.main) await main(sweepCommand);
