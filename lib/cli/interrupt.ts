/**
 * Ctrl-C and SIGTERM, in one place. The first asks the command to stop: it ends between two denoising steps, leaves
 * nothing half-written and says what is kept. The second ends the process at once.
 *
 * At once means also in the midst of a network's run, which keeps JavaScript waiting for seconds: a worker listens too,
 * on a thread of its own, and ends the process by the system's own call.
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
  const listeners = SIGNALS.map((signal) => {
    const heard = () => {
      if (stop.signal.aborted) Deno.exit(CODES[signal]);
      stop.abort(new Stopped());
    };
    Deno.addSignalListener(signal, heard);
    return { signal, heard };
  });
  const watcher = watch();
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      for (const { signal, heard } of listeners) Deno.removeSignalListener(signal, heard);
      watcher?.terminate();
    },
  };
}

/** A process that may not call the system's own functions runs no network either, and hears the second signal itself. */
function watch(): Worker | undefined {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  const worker = new Worker(new URL("./interrupt_worker.ts", import.meta.url), { type: "module" });
  worker.onerror = (event) => event.preventDefault(); // no such library here: the second signal waits for JavaScript
  return worker;
}
