/**
 * Stop: what a notebook's button, or Ctrl+C in a script that listens for it, asks of the runs that are under way. It
 * ends them between two denoising steps, whether they were given a signal or not.
 *
 * The runtime keeps the thread while a network runs, so a stop is often heard when a step has just ended and the next
 * has not begun. It waits for that next one; but not for long, as a run that is begun later is another run.
 */

import { setImmediate } from "node:timers";

/** Milliseconds after a model's last work in which a run is still under way: a cell may draw between two steps. */
const patience = 2000;

let current = new AbortController();
/** Whether somebody holds `current`. */
let given = false;
/** When a stop was heard that no run has met yet. */
let heard: number | undefined;
let working = 0;
let workedUntil = -Infinity;

/** Stops tell of no fault: no stack is to be looked at. */
function stopped(): DOMException {
  const reason = new DOMException(
    "Stopped between two steps. What was reached is kept: " +
      "for await (const step of model.steps(model.stopped)) … goes on from it.",
    "AbortError",
  );
  Object.defineProperty(reason, "stack", { value: `${reason.name}: ${reason.message}` });
  return reason;
}

/** Does the work of a network, known as such to a stop that is heard meanwhile. */
export async function atWork<T>(work: () => Promise<T>): Promise<T> {
  working++;
  try {
    return await work();
  } finally {
    working--;
    workedUntil = performance.now();
  }
}

/**
 * A signal that the notebook's Stop button aborts, for what takes one: `fetch`, `compare`, work of one's own. Runs of a
 * model stop without it. Ask for it anew each time: a stop ends what is under way, not what comes later.
 */
export function stopSignal(): AbortSignal {
  if (current.signal.aborted) current = new AbortController();
  given = true;
  return current.signal;
}

/** Somebody wants to stop. @returns whether there is anything to end */
export function stop(): boolean {
  const running = working > 0 || performance.now() - workedUntil < patience;
  if (running) heard = performance.now();
  const held = given;
  if (held) current.abort(stopped());
  given = false;
  return running || held;
}

/**
 * Why a run is to end here, between two steps; undefined where it may go on. Lets what waits outside happen first, such
 * as a Stop: networks run one after another would keep it waiting to the end.
 */
export async function reasonToStop(signal?: AbortSignal): Promise<unknown> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  const waits = heard !== undefined && performance.now() - Math.max(heard, workedUntil) < patience;
  heard = undefined; // met here, or too late for anything
  if (signal?.aborted) return signal.reason;
  return waits ? stopped() : undefined;
}
