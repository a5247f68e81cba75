/** How many processes of how many threads are taken, by what was measured. */

import { fastestShape, measuredShape, type Shape } from "fewstep/sweep/shape.ts";
import { openPacer } from "fewstep/sweep/pace.ts";
import { planComparison } from "fewstep/sweep/plan.ts";
import { Store } from "fewstep/sweep/store.ts";
import { taskOf } from "fewstep/sweep/task.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { TINY } from "./tiny.ts";

const plan = await planComparison({
  models: [{ name: "tiny", model: TINY, recipes: [{ recipe: "base", steps: 2 }] }],
  prompts: ["snow"],
  size: { width: 32, height: 32 },
});
const [cell] = plan.cells;
const group = { model: plan.models[0].options, measure: plan.measure };

/** Runs `fastestShape` with one process's steps a second by its threads, and memory. */
async function fastest(paces: Readonly<Record<number, number>>, { cores = 8, free = 100, memory = 1 } = {}) {
  const tried: Shape[] = [];
  const log: string[] = [];
  const measure = (shape: Shape) => {
    tried.push(shape);
    return Promise.resolve(
      Array.from({ length: shape.processes }, () => ({ stepsPerSecond: paces[shape.threads], memory })),
    );
  };
  const shape = await fastestShape({ cores, free, measure, log: (line) => void log.push(line) });
  return { shape: `${shape.processes} × ${shape.threads}`, tried: tried.map(({ processes }) => processes), log };
}

Deno.test("the shape with the most steps a second of all its processes is taken", async () => {
  equal((await fastest({ 8: 6, 4: 4, 2: 2.5, 1: 1 })).shape, "4 × 2");
  equal((await fastest({ 8: 9, 4: 4, 2: 2, 1: 1 })).shape, "1 × 8", "threads that add up perfectly win");
  equal((await fastest({ 8: 1, 4: 1, 2: 1, 1: 1 })).shape, "8 × 1", "threads that add nothing lose");
  equal((await fastest({ 8: 2, 4: 1, 2: 0.5, 1: 0.25 })).shape, "1 × 8", "at a tie the fewest processes: least memory");
  const { shape, tried, log } = await fastest({ 6: 3, 3: 2, 2: 1, 1: 0.5 }, { cores: 6 });
  equal([shape, tried], ["2 × 3", [1, 2, 3, 6]], "every even share of the cores is tried");
  equal(log[1], "2 × 3 threads: 4.00 steps a second.");
});

Deno.test("more processes than memory holds are not tried", async () => {
  const paces = { 8: 1, 4: 1, 2: 1, 1: 1 };
  // 0.8 of what is free: four of 20 fit into 100 exactly, eight do not
  equal(await fastest(paces, { free: 100, memory: 20 }).then(({ shape, tried }) => [shape, tried]), [
    "4 × 2",
    [1, 2, 4],
  ]);
  equal((await fastest(paces, { free: 100, memory: 90 })).tried, [1], "one is always tried");
  const stop = AbortSignal.abort(new Error("Stopped."));
  const measure = () => Promise.resolve([]);
  await throwsSentence(() => fastestShape({ cores: 2, free: 1, measure, signal: stop }), /^Stopped\.$/);
});

Deno.test("a pace counts the steps within its seconds, by the clock", async () => {
  let time = 0;
  await using pacer = await openPacer(group, taskOf(cell), () => (time += 250)); // a step is 250 ms long
  equal((await pacer.measure(1)).stepsPerSecond, 4);
  equal((await pacer.measure(0)).stepsPerSecond, 4, "one step at least");
  ok((await pacer.measure(0)).memory > 1e6, "memory is told");
});

Deno.test("processes of this machine are measured once, and the store remembers it", () =>
  inFolder(async (folder) => {
    using store = await Store.open(folder);
    const log: string[] = [];
    const context = { place: folder, store, cores: 2, seconds: 0, log: (line: string) => void log.push(line) };
    const shape = await measuredShape(plan, plan.cells, context);
    equal(shape.processes * shape.threads, 2);
    equal(log.map((line) => line.replace(/: [\d.e+]+ /, ": N ")), [
      "1 × 2 threads: N steps a second.",
      "2 × 1 threads: N steps a second.",
    ]);
    const nothing = new URL("file:///nothing/is/here.ts"); // a process that was started would fail
    equal(await measuredShape(plan, plan.cells, { ...context, module: nothing }), shape);
    equal(log.length, 2, "nothing was measured again");
  }));
