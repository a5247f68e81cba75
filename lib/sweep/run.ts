/** Runs the cells of a plan, one after the other, and stores each as soon as it is finished. */

import { describeMachine, describeVersions } from "../measure/machine.ts";
import { readMemory, resetPeak } from "../measure/memory.ts";
import type { Model } from "../model/model.ts";
import { open } from "../model/open.ts";
import { saveRecord } from "../model/record.ts";
import type { Request, RunOptions } from "../model/request.ts";
import type { Step } from "../model/step.ts";
import { encode } from "../view/picture.ts";
import { rasters } from "../view/raster.ts";
import type { Result } from "./cell.ts";
import { openOptions, type Plan, type PlannedCell } from "./plan.ts";
import { median, sumOf } from "../measure/spread.ts";
import type { Made, Store } from "./store.ts";

export interface RunCellsOptions extends RunOptions {
  readonly store: Store;
  /** Told before a cell begins, and after each of its steps. */
  readonly onStep?: (cell: PlannedCell, step: Step | undefined) => void | Promise<void>;
  readonly warn?: (message: string) => void;
}

export interface FinishedCell {
  readonly cell: PlannedCell;
  readonly result: Result;
}

/**
 * Runs these cells of a plan: each model is opened once, used for all its cells, and closed before the next. Cells of
 * equal key run once; what is yielded is stored.
 *
 * @throws Error that names the cell, when one cannot be run; the reason of `signal` when it was aborted. What was
 * finished stays stored in either case.
 */
export async function* runCells(
  plan: Plan,
  cells: readonly PlannedCell[],
  { store, signal, onStep, warn }: RunCellsOptions,
): AsyncGenerator<FinishedCell, void, void> {
  const unique = [...new Map(cells.map((cell) => [cell.key, cell])).values()];
  for (const group of byModel(plan, unique)) {
    signal?.throwIfAborted();
    const { options } = plan.models[group[0].modelIndex];
    const baseline = readMemory().resident;
    await using model = await open(options.model, { ...openOptions(options), warn });
    let warm = false;
    if (plan.measure.warmUp === "step") {
      await warmUp(model, group[0], signal);
      warm = true;
    }
    for (const cell of group) {
      await onStep?.(cell, undefined);
      const made = await runCell(model, cell, { baseline, warm, signal, onStep, records: plan.measure.records });
      warm = true;
      yield { cell, result: await store.put(cell.key, cell.content, made) };
    }
  }
}

/** Cells that one opened model serves: entries that differ only in name or recipe share it. In the plan's order. */
export function byModel(plan: Plan, cells: readonly PlannedCell[]): readonly (readonly PlannedCell[])[] {
  const groups = new Map<string, PlannedCell[]>();
  for (const cell of cells) {
    const { options } = plan.models[cell.modelIndex];
    const name = JSON.stringify([options.model, openOptions(options)]);
    groups.set(name, [...groups.get(name) ?? [], cell]);
  }
  return [...groups.values()];
}

/** What a planned cell asks of its model. */
export function requestOf({ way, labels, content }: PlannedCell): Request & { readonly seed: bigint } {
  const { width, height } = content;
  return {
    ...way,
    prompt: labels.prompt,
    negative: labels.negative ?? undefined,
    seed: BigInt(labels.seed),
    size: { width, height },
  };
}

interface RunCellOptions extends Pick<RunCellsOptions, "signal" | "onStep"> {
  readonly baseline: number;
  readonly warm: boolean;
  readonly records: "none" | "all";
}

async function runCell(model: Model, cell: PlannedCell, options: RunCellOptions): Promise<Made> {
  const { baseline, warm, signal, onStep, records } = options;
  try {
    resetPeak();
    let step = await model.begin(requestOf(cell), { signal });
    while (!step.done) {
      step = await model.next(step, { signal });
      await onStep?.(cell, step);
    }
    const decoding = performance.now();
    const image = await model.decode(step);
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
    const { labels: { model: name, recipe, prompt, seed } } = cell;
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot run ${name} by ${recipe} on "${prompt}", seed ${seed}: ${why}`, { cause: error });
  }
}

/** Loads every part and runs it once, outside of what is timed; on another text, so that the cell's own is encoded. */
async function warmUp(model: Model, cell: PlannedCell, signal: AbortSignal | undefined): Promise<void> {
  const step = await model.next(await model.begin({ ...requestOf(cell), prompt: "" }, { signal }), { signal });
  await model.decode(step);
}
