/** What makes cells: a model, opened once for all of its tasks. */

import { describeMachine, describeVersions } from "../measure/machine.ts";
import { readMemory, resetPeak } from "../measure/memory.ts";
import { median, sumOf } from "../measure/spread.ts";
import type { Model } from "../model/model.ts";
import { open } from "../model/open.ts";
import { saveRecord } from "../model/record.ts";
import type { RunOptions } from "../model/request.ts";
import type { Step } from "../model/step.ts";
import { encode } from "../view/picture.ts";
import { rasters } from "../view/raster.ts";
import type { Made } from "./files.ts";
import { openOptions } from "./plan.ts";
import { type Group, requestOf, type Task } from "./task.ts";

export interface MakeOptions extends RunOptions {
  /** Told after each step. */
  readonly onStep?: (step: Step) => void | Promise<void>;
}

/** An opened model that makes cells, one after the other. */
export interface Maker extends AsyncDisposable {
  make(task: Task, options?: MakeOptions): Promise<Made>;
}

export interface MakerHooks {
  /** Told what a user should know, a sentence each. */
  readonly warn?: (message: string) => void;
  /** Called with the model before each task; throws where it is not the one that the task was planned for. */
  readonly check?: (model: Model, task: Task, group: Group) => void | Promise<void>;
}

export type OpenMaker = (group: Group, hooks?: MakerHooks) => Promise<Maker>;

/** Opens a group's model; its parts are loaded by the first task. */
export const openMaker: OpenMaker = async (group, { warn, check } = {}) => {
  const { model: described, measure } = group;
  const baseline = readMemory().resident;
  const model = await open(described.model, { ...openOptions(described), warn });
  let warm = false;
  return {
    async make(task, options = {}) {
      await check?.(model, task, group);
      if (!warm && measure.warmUp === "step") {
        await warmUp(model, task, options.signal);
        warm = true;
      }
      const made = await makeCell(model, task, { ...options, baseline, warm, records: measure.records });
      warm = true;
      return made;
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
};

interface MakeCellOptions extends MakeOptions {
  readonly baseline: number;
  readonly warm: boolean;
  readonly records: "none" | "all";
}

async function makeCell(model: Model, task: Task, options: MakeCellOptions): Promise<Made> {
  const { baseline, warm, signal, onStep, records } = options;
  try {
    resetPeak();
    let step = await model.begin(requestOf(task), { signal });
    while (!step.done) {
      step = await model.next(step, { signal });
      await onStep?.(step);
    }
    const decoding = performance.now();
    const image = await model.decode(step, { signal });
    const ended = performance.now();
    const [start, ...taken] = step.path;
    const text = start.timing.text ?? 0;
    const [raster] = rasters(image);
    const last = step;
    return {
      secondsText: text === 0 ? null : text / 1000,
      secondsUnet: sumOf(taken.map(({ timing }) => timing.unet)) / 1000,
      secondsPerStep: median(taken.map(({ timing }) => timing.step)) / 1000,
      secondsVae: (ended - decoding) / 1000,
      secondsTotal: (start.timing.step + sumOf(taken.map(({ timing }) => timing.step)) + ended - decoding) / 1000,
      memoryBaseline: baseline,
      memoryResident: Math.max(...taken.map(({ memory }) => memory.resident)),
      memoryPeak: readMemory().peak,
      warm,
      versions: describeVersions(model.runtime.name),
      machine: describeMachine(),
      made: new Date().toISOString(),
      png: await encode(raster),
      lastLatent: last.latent,
      ...(records === "all" && { writeRecord: (path: string) => saveRecord(path, { model, step: last, image }) }),
    };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot run ${nameOfTask(task)}: ${why}`, { cause: error });
  }
}

/** 'base by lightning-4step on "snow", seed 7' */
export function nameOfTask({ name, way, prompt, seed }: Task): string {
  return `${name} by ${way.recipe} on "${prompt}", seed ${seed}`;
}

/** Loads every part and runs it once, outside of what is timed; on another text, so that the cell's own is encoded. */
async function warmUp(model: Model, task: Task, signal: AbortSignal | undefined): Promise<void> {
  const step = await model.next(await model.begin({ ...requestOf(task), prompt: "" }, { signal }), { signal });
  await model.decode(step, { signal });
}
