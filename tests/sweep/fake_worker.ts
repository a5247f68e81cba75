/** A queue's worker of fake cells in a process of its own: `fake_worker.ts REDIS FILES [PROCESSES]`. SIGTERM drains it. */

import { runQueueWorker } from "fewstep/sweep/queue/worker.ts";
import { FAKE_CHILD } from "./fake.ts";

const [redis, files, processes = "1"] = Deno.args;
const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
await runQueueWorker({
  redis,
  files,
  processes: Number(processes),
  takeOverSeconds: 2,
  module: FAKE_CHILD,
  signal: stop.signal,
  log: (message) => console.error(message),
});
Deno.exit(0);
