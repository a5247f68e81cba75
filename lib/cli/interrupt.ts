/**
 * Ctrl-C and SIGTERM, in one place. The first asks the command to stop: it ends before a network's next operator, leaves
 * nothing half-written and says what is kept. The second ends the process at once.
 *
 * At once means whatever JavaScript is busy with, and without the order of a usual end, in which a network that runs
 * would lose what it stands on: a worker listens too, on a thread of its own, and ends the process by the system's own
 * call.
 */

/** Exit codes of what a signal ended at once, as shells have them: 128 and the signal's number. */
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type Asked = keyof typeof CODES;

/** Windows knows no SIGTERM that a process could hear. */
const SIGNALS: readonly Asked[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** What a command was stopped by. */
export class Stopped extends Error {
  override readonly message = "Stopped.";
}

export interface Interrupt extends Disposable {
  /** Aborted by the first signal, with `Stopped` as its reason. */
  readonly signal: AbortSignal;
}

/** Listens until it is disposed of. */
export function onInterrupt(): Interrupt {
  const stop = new AbortController();
  const watcher = watch(stop.signal);
  const listeners = SIGNALS.map((signal) => {
    const heard = () => {
      if (!stop.signal.aborted) stop.abort(new Stopped());
      else if (watcher.state !== "listens") Deno.exit(CODES[signal]);
    };
    Deno.addSignalListener(signal, heard);
    return { signal, heard };
  });
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      for (const { signal, heard } of listeners) Deno.removeSignalListener(signal, heard);
      watcher.worker?.terminate();
    },
  };
}

interface Watcher {
  state: "starts" | "listens";
  readonly worker?: Worker;
}

/** A process that may not call the system's own functions runs no network either, and hears the second signal itself. */
function watch(asked: AbortSignal): Watcher {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return { state: "starts" };
  const worker = new Worker(new URL("./interrupt_worker.ts", import.meta.url), { type: "module" });
  const watcher: Watcher = { state: "starts", worker };
  worker.onmessage = () => {
    watcher.state = "listens";
    if (asked.aborted) worker.postMessage("asked"); // before it listened
  };
  worker.onerror = (event) => event.preventDefault(); // no such library here: the second signal waits for JavaScript
  return watcher;
}
