import { Store } from "fewstep/sweep/store.ts";
import { sweepPlan } from "fewstep/sweep/sweep.ts";
import type { SweepEvent, SweepOptions } from "fewstep/sweep/sweep.ts";
import type { SweepState } from "fewstep/sweep/monitor.ts";
import type { Plan } from "fewstep/sweep/plan.ts";
import type { Runs } from "fewstep";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { digestOf } from "fewstep/sweep/content.ts";
import { FAKE_CHILD, fakeLatent, fakePlan } from "./fake.ts";

const module = FAKE_CHILD;

interface Told {
  readonly runs: Runs;
  readonly events: readonly SweepEvent[];
  readonly states: readonly SweepState[];
  readonly warnings: readonly string[];
}

async function run(folder: string, plan: Plan, options: SweepOptions = {}): Promise<Told> {
  const events: SweepEvent[] = [];
  const states: SweepState[] = [];
  const warnings: string[] = [];
  using store = await Store.open(folder);
  const runs = await sweepPlan(plan, store, {
    run: "workers",
    workers: { processes: 2, threads: 1, module },
    onEvent: (event) => void events.push(event),
    onProgress: (state) => void states.push(state),
    warn: (message) => void warnings.push(message),
    ...options,
  });
  return { runs, events, states, warnings };
}

/** Lines of a log of fake cells: which process ran which model's cell. */
async function linesOf(log: string): Promise<readonly { readonly pid: string; readonly model: string; key: string }[]> {
  return (await Deno.readTextFile(log)).trimEnd().split("\n").map((line) => {
    const [pid, model, key] = line.split(" ");
    return { pid, model, key };
  });
}

Deno.test("two processes run every cell once, stay with their model, and what is stored is not run again", () =>
  inFolder(async (folder) => {
    const log = join(folder, "log");
    const plan = fakePlan({ models: ["a", "b"], cells: 12, prompt: () => `sleep 5 log ${log}` });
    const { runs, events, states } = await run(join(folder, "runs"), plan);
    equal(runs.cells.map(({ key }) => key), plan.cells.map(({ key }) => key));
    for (const cell of runs.cells) {
      equal((await runs.latent(cell)).data, fakeLatent(cell.key).data);
      equal(await Deno.readTextFile(cell.picture), `picture of ${cell.key}`);
      ok(cell.picture.endsWith(`${digestOf(`picture of ${cell.key}`)}.png`), "named by what it holds");
    }
    const lines = await linesOf(log);
    equal(lines.length, 24);
    equal(new Set(lines.map(({ key }) => key)).size, 24);
    // A process that changes between models would switch many times: each begins with one, and helps out at the end.
    for (const own of Map.groupBy(lines, ({ pid }) => pid).values()) {
      const switches = own.filter(({ model }, index) => index > 0 && model !== own[index - 1].model).length;
      ok(switches <= 1, `${switches} switches`);
    }
    equal(events.filter(({ event }) => event === "finished").length, 24);
    const last = states.at(-1);
    equal([last?.done, last?.failed, last?.total, last?.ended], [24, 0, 24, true]);
    equal(last?.workers.reduce((sum, { done }) => sum + done, 0), 24);

    const again = await run(join(folder, "runs"), plan);
    equal((await linesOf(log)).length, 24, "nothing ran again");
    equal(again.runs.cells, runs.cells);
    equal(again.states, []);
  }));

Deno.test("a process that dies is started again; a cell that kills it is set aside after three tries", () =>
  inFolder(async (folder) => {
    const [log, once] = [join(folder, "log"), join(folder, "once")];
    const words = (index: number) =>
      index === 3 ? `die log ${log}` : index === 5 ? `die once log ${once}` : index === 8 ? `throw log ${log}` : "";
    const plan = fakePlan({ cells: 10, prompt: words });
    const { runs, warnings, events } = await run(join(folder, "runs"), plan);
    equal(runs.cells.length, 8);
    equal(runs.plan.cells.map(({ key }) => key), runs.cells.map(({ key }) => key));
    const [thrown, died] = runs.failed.toSorted((a, b) => (a.error < b.error ? 1 : -1)).toReversed();
    equal([thrown.tries, died.tries], [3, 3]);
    equal([thrown, died].map(({ error }) => error.replace(/worker \d/, "W")).toSorted(), [
      "The process of W is gone: it was ended by SIGKILL.",
      "it was told to",
    ]);
    const lines = await linesOf(log);
    equal(lines.length, 6, "three tries each");
    equal((await linesOf(once)).length, 2, "killed once, then finished");
    equal(warnings.length, 2);
    ok(warnings.every((warning) => /^Set aside: fake by base on "/.test(warning)), warnings[0]);
    equal(events.filter(({ event }) => event === "failed").length, 2);
    equal((await run(join(folder, "runs"), plan)).runs.failed.length, 2, "another sweep tries them again");
  }));

Deno.test("a process beyond its memory is ended, and its cell set aside says so", {
  ignore: Deno.build.os !== "linux",
}, () =>
  inFolder(async (folder) => {
    const plan = fakePlan({ cells: 2, prompt: (index) => index === 0 ? "hog" : "" });
    const { runs } = await run(folder, plan, {
      workers: { processes: 1, threads: 1, module, memoryLimit: 400e6 },
    });
    equal(runs.cells.length, 1);
    ok(/it used 0\.\d+ GB, and 0\.40 GB are allowed\.$/.test(runs.failed[0].error), runs.failed[0].error);
  }));

Deno.test("a model that cannot be opened costs its own cells alone; where nothing is left, the sweep says why", () =>
  inFolder(async (folder) => {
    const plan = fakePlan({ models: ["a", "missing"], cells: 20 });
    const { runs } = await run(folder, plan);
    equal([runs.cells.length, runs.failed.length], [20, 20]);
    equal(runs.failed[0].error, "Cannot open missing: it does not exist.");
    await throwsSentence(
      () => run(folder, fakePlan({ models: ["missing"], cells: 2 })),
      /^Cannot finish the sweep: none of its 2 cells could be run\. Cannot open missing: it does not exist\.$/,
    );
    await throwsSentence(
      () => run(folder, fakePlan({ cells: 1 }), { workers: { processes: 0 } }),
      /whole number from 1/,
    );
  }));

Deno.test("a sweep that is stopped ends its processes, and goes on where it was", () =>
  inFolder(async (folder) => {
    const log = join(folder, "log");
    const plan = fakePlan({ cells: 30, prompt: () => `sleep 30 log ${log}` });
    const stop = new AbortController();
    const stopped = run(join(folder, "runs"), plan, {
      signal: stop.signal,
      onProgress: ({ done }) => {
        if (done >= 5) stop.abort(new Error("Stopped."));
      },
    });
    await throwsSentence(() => stopped, /^Stopped\.$/);
    const begun = await linesOf(log);
    ok(begun.length < 30, "it did not run to the end");
    await new Promise((resolve) => setTimeout(resolve, 200));
    equal((await linesOf(log)).length, begun.length, "nothing goes on");
    const { runs } = await run(join(folder, "runs"), plan);
    equal(runs.cells.length, 30);
    ok((await linesOf(log)).length <= 30 + 2 + 2, "only what was under way ran twice");
  }));
