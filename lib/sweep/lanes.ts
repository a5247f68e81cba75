/**
 * Shares cells out to lanes. A lane stays with its model as long as that has cells; then it goes to the model with the
 * most cells for each of its lanes. A cell that fails is tried again behind the others, and set aside in the end.
 */

import { Channel } from "./channel.ts";
import type { Receipt } from "./files.ts";
import { Crash, GroupError, type Lane } from "./lane.ts";
import type { Plan, PlannedCell } from "./plan.ts";
import { byModel, type Group, taskOf } from "./task.ts";

/** How a cell ended. */
export type Outcome =
  & { readonly cell: PlannedCell; /** The lane or worker that ran it. */ readonly by: string }
  & ({ readonly receipt: Receipt } | {
    /** Why it was set aside. */
    readonly error: string;
    readonly tries: number;
  });

/** Times that a cell is tried before it is set aside. */
export const TRIES = 3;

/** Milliseconds before a second try; a third waits twice as long. */
const BACKOFF_MS = 100;

export interface LanesOptions {
  readonly lanes: readonly Lane[];
  readonly signal?: AbortSignal;
  /** Told before a lane begins a cell. */
  readonly onBegin?: (lane: Lane, cell: PlannedCell) => void;
}

interface Waiting {
  readonly group: Group;
  readonly cells: PlannedCell[];
  lanes: number;
  /** Times that its model could not be opened. */
  refused: number;
}

/**
 * Runs these cells, of which none is there twice, and tells how each ended, as many at a time as have.
 *
 * @throws the reason of `signal` when it was aborted. What was told is stored.
 */
export async function* runLanes(
  plan: Plan,
  cells: readonly PlannedCell[],
  { lanes, signal, onBegin }: LanesOptions,
): AsyncGenerator<readonly Outcome[], void, void> {
  const groups = byModel(plan, cells).map((cells): Waiting => ({
    group: { model: plan.models[cells[0].modelIndex].options, measure: plan.measure },
    cells: cells.toReversed(), // taken from the end
    lanes: 0,
    refused: 0,
  }));
  const outcomes = new Channel<Outcome>();
  const tries = new Map<string, number>();
  let open = cells.length;
  let stopped = false;
  let sleepers: (() => void)[] = [];
  const wake = () => {
    for (const sleeper of sleepers.splice(0)) sleeper();
  };
  const told = (outcome: Outcome) => {
    open--;
    outcomes.push(outcome);
    if (open === 0) wake();
  };
  const onAbort = () => {
    stopped = true;
    outcomes.end(signal?.reason);
    wake();
  };
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort);

  const failed = (lane: Lane, waiting: Waiting, cell: PlannedCell, error: Error) => {
    const times = (tries.get(cell.key) ?? 0) + 1;
    tries.set(cell.key, times);
    if (error instanceof GroupError && ++waiting.refused >= TRIES) {
      for (const other of [cell, ...waiting.cells.splice(0)]) {
        told({ cell: other, by: lane.name, error: error.message, tries: tries.get(other.key) ?? 0 });
      }
    } else if (times >= TRIES) told({ cell, by: lane.name, error: error.message, tries: times });
    else {
      setTimeout(() => {
        waiting.cells.unshift(cell);
        wake();
      }, BACKOFF_MS * 2 ** (times - 1));
    }
  };
  const work = async (lane: Lane) => {
    let mine: Waiting | undefined;
    while (open > 0 && !stopped) {
      if (mine === undefined || mine.cells.length === 0) {
        if (mine) mine.lanes--;
        mine = groups.filter(({ cells }) => cells.length > 0)
          .toSorted((a, b) => b.cells.length / (b.lanes + 1) - a.cells.length / (a.lanes + 1))[0];
        if (mine) mine.lanes++;
      }
      const cell = mine?.cells.pop();
      if (mine === undefined || cell === undefined) {
        await new Promise<void>((resolve) => sleepers = [...sleepers, resolve]);
        continue;
      }
      onBegin?.(lane, cell);
      try {
        told({ cell, by: lane.name, receipt: await lane.run(mine.group, taskOf(cell), { signal }) });
      } catch (error) {
        if (stopped) return;
        failed(lane, mine, cell, error instanceof Error ? error : new Crash(String(error)));
      }
    }
  };
  const all = Promise.all(lanes.map(work)).then(() => outcomes.end(), (error) => outcomes.end(error));
  try {
    yield* outcomes.batches();
  } finally {
    stopped = true; // also where the one that takes the outcomes wants no more
    signal?.removeEventListener("abort", onAbort);
    wake();
  }
  await all;
}
