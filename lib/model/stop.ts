/**
 * Stop: what a notebook's button, or Ctrl+C in a script that listens for it, asks of the runs that are under way,
 * whether they were given a signal or not. A network that runs ends before its next operator, and its run stands where
 * it stood before: between two denoising steps.
 *
 * A stop may also be heard between two networks' work. It then waits for the next step; but not for long, as a run that
 * is begun later is another run.
 */

import { setImmediate } from "node:timers";

/** Milliseconds after a model's last work in which a run is still under way: a cell may draw between two steps. */
const patience = 2000;

let current = new AbortController();
/** Whether somebody holds `current`. */
let given = false;
/** When a stop was heard that no run has met yet. */
let heard: number | undefined;
/** What is under way, each ended by its own signal. */
const working = new Set<AbortController>();
let workedUntil = -Infinity;

const reasons = new WeakSet<object>();

/** Stops tell of no fault: no stack is to be looked at. */
function reasonOf(message: string): DOMException {
  const reason = new DOMException(message, "AbortError");
  Object.defineProperty(reason, "stack", { value: `${reason.name}: ${reason.message}` });
  reasons.add(reason);
  return reason;
}

/** Why a run ends whose model has kept the step that it had reached. */
export function stopped(): DOMException {
  return reasonOf(
    "Stopped between two steps. What was reached is kept: " +
      "for await (const step of model.steps(model.stopped)) … goes on from it.",
  );
}

/** Whether an error is no fault, but what somebody who wanted to stop has asked for. */
export function isStop(error: unknown): boolean {
  return typeof error === "object" && error !== null && reasons.has(error);
}

/**
 * Does the work of a network, which a stop that is heard meanwhile ends.
 *
 * @param work takes the signal that ends it, by a stop or by `signal`
 */
export async function atWork<T>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const own = new AbortController();
  working.add(own);
  try {
    return await work(signal ? AbortSignal.any([signal, own.signal]) : own.signal);
  } catch (error) {
    if (isStop(error)) heard = undefined; // met here
    throw error;
  } finally {
    working.delete(own);
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
  const running = working.size > 0 || performance.now() - workedUntil < patience;
  if (running) heard = performance.now();
  for (const work of working) {
    work.abort(reasonOf("Stopped. What was under way was not finished, nothing else is lost."));
  }
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
