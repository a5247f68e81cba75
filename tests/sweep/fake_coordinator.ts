/** A coordinator of fake cells in a process of its own: `fake_coordinator.ts REDIS STORE CELLS MILLISECONDS`. */

import { openStore, sweepPlan } from "fewstep/sweep/sweep.ts";
import { fakePlan } from "./fake.ts";

const [redis, folder, cells, milliseconds] = Deno.args;
const files = `${folder}/files`;
await using store = await openStore({ store: folder, files });
const plan = fakePlan({ models: ["a", "b"], cells: Number(cells) / 2, prompt: () => `sleep ${milliseconds}` });
const runs = await sweepPlan(plan, store, {
  run: "queue",
  queue: { redis, takeOverSeconds: 2 },
  files,
  onProgress: () => {},
  warn: (message) => console.error(message),
});
console.log(runs.cells.length);
Deno.exit(runs.failed.length === 0 ? 0 : 1);
