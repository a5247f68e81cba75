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

/** Denoises a task for so many seconds, at least one step, after one step that is not counted. Nothing is stored. */
export async function measurePace({ model: described }: Group, task: Task, seconds: number): Promise<Pace> {
  await using model = await open(described.model, { ...openOptions(described), warn: () => {} });
  const start = await model.begin(requestOf(task));
  await model.next(start);
  const began = performance.now();
  let steps = 0;
  while (steps === 0 || performance.now() - began < 1000 * seconds) {
    await model.next(start);
    steps++;
  }
  return { stepsPerSecond: 1000 * steps / (performance.now() - began), memory: readMemory().peak };
}
