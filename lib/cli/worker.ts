/** `deno task worker`: runs cells of sweeps that other machines have put on a queue. */

import { type Arguments, type Command, main, type Running } from "./args.ts";
import { queueNameOf } from "./sweep.ts";

export const workerCommand: Command = {
  name: "worker",
  about:
    "Runs cells of sweeps on a queue, until it is told to end: SIGTERM or Ctrl+C lets the cells that run end, gives the\n" +
    "others back, and exits with 0. Models and LoRAs lie under the paths that the sweep names.",
  kept: "Its cells go back to the queue.",
  options: {
    redis: { value: "URL", about: "redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS; or FEWSTEP_REDIS" },
    files: {
      value: "PLACE",
      about: "where pictures go, as the sweep names it: a shared folder, or s3://BUCKET/PREFIX",
    },
    queue: { value: "NAME", about: "tells fleets on one Redis apart; default fewstep" },
    processes: { value: "N", about: "processes that run cells at once; default 1" },
    threads: { value: "N", about: "threads of each process; default the runtime's choice, one a core" },
    "memory-limit": { value: "GB", about: "what one process may use; its cell has failed beyond" },
    rate: { value: "N", about: "cells a minute at the most, of all processes together" },
    "when-idle": { value: "wait|exit", about: "when nothing waits: wait (default), or exit after --idle-seconds" },
    "idle-seconds": { value: "N", about: "default 30" },
    log: { value: "text|json", about: "how it tells on stderr what it does; default text" },
  },
  examples: [
    "deno task worker --redis redis://queue:6379 --files s3://pictures/sweep",
    "deno task worker --redis rediss://:PASSWORD@queue:6380 --files /shared/runs --processes 4 --threads 4",
  ],
  run,
};

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const redis = args.text("redis") ?? Deno.env.get("FEWSTEP_REDIS") ??
    args.required("redis", "where the queue is, for example --redis redis://HOST:6379");
  const files = args.required("files", "where pictures go, as the sweep names it");
  const whole = (name: string) => args.number(name, "a whole number from 1", { whole: true, least: 1 });
  const memory = args.number("memory-limit", "a number of gigabytes above 0", { least: 0.001 });
  const form = args.oneOf("log", ["text", "json"]) ?? "text";
  const options = {
    redis,
    files,
    name: queueNameOf(args),
    processes: whole("processes"),
    threads: whole("threads"),
    memoryLimit: memory && 1e9 * memory,
    rate: args.number("rate", "a number of cells a minute above 0", { least: 1e-6 }),
    whenIdle: args.oneOf("when-idle", ["wait", "exit"]),
    idleSeconds: args.number("idle-seconds", "a number of seconds from 0", { least: 0 }),
  };
  const { runQueueWorker } = await import("../sweep/queue/worker.ts");
  const { openPlace } = await import("../sweep/place.ts");
  await openPlace(files); // what is wrong with it is told now, and not by the first cell
  const log = (message: string) =>
    console.error(form === "text" ? message : JSON.stringify({ at: new Date().toISOString(), message }));
  await runQueueWorker({ ...options, signal, log });
}

if (import.meta.main) await main(workerCommand);
