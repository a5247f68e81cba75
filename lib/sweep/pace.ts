/** How fast this process denoises: what tells how many processes of how many threads a machine should run. */

import { readMemory } from "../measure/memory.ts";
import { open } from "../model/open.ts";
import { openOptions } from "./plan.ts";
import { type Group, requestOf, type Task } from "./task.ts";

export interface Pace {
  readonly stepsPerSecond: number;
  /** Bytes resident at the most. */
  readonly memory: number;
}

/** A task's first step, as often as wanted. */
export interface Pacer extends AsyncDisposable {
  /** Denoises for so many seconds, at least one step. Nothing is stored. */
  measure(seconds: number): Promise<Pace>;
}

/**
 * Opens a group's model and denoises one step that is not counted, so that no measurement holds the loading.
 *
 * @param now milliseconds on a clock. Default `performance.now`
 */
export async function openPacer(
  { model: described }: Group,
  task: Task,
  now: () => number = () => performance.now(),
): Promise<Pacer> {
  const model = await open(described.model, { ...openOptions(described), warn: () => {} });
  try {
    const start = await model.begin(requestOf(task));
    await model.next(start);
    return {
      async measure(seconds) {
        const began = now();
        let steps = 0;
        let taken = 0;
        do {
          await model.next(start);
          steps++;
          taken = now() - began;
        } while (taken < 1000 * seconds);
        return { stepsPerSecond: 1000 * steps / taken, memory: readMemory().peak };
      },
      [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    };
  } catch (error) {
    await model[Symbol.asyncDispose]();
    throw error;
  }
}
