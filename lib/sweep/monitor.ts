/** How a sweep goes: what is done, by whom, how fast, what failed, and how long the rest will take. */

import type { SweepState, WorkerState } from "../view/watch.ts";

export type { SweepState, WorkerState };

/** Seconds over which rates are told. */
const WINDOW = 60;

/** Failures that are told; all are counted. */
const TOLD_FAILURES = 5;

/** What is known of a worker without counting its cells. */
export type Seen = Pick<WorkerState, "name" | "is"> & Partial<Pick<WorkerState, "model" | "memory">>;

export interface MonitorOptions {
  readonly total: number;
  /** Cells that were stored before. */
  readonly before: number;
  /** Seconds. Default: `performance.now` / 1000. */
  readonly now?: () => number;
}

interface Counted {
  seen: Seen;
  done: number;
  failed: number;
  readonly finished: Rate;
}

export class Monitor {
  readonly #options: MonitorOptions;
  readonly #now: () => number;
  readonly #began: number;
  readonly #finished: Rate;
  readonly #workers = new Map<string, Counted>();
  #done = 0;
  #failed = 0;
  #failures: readonly { readonly cell: string; readonly error: string }[] = [];
  #ended = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now() / 1000);
    this.#began = this.#now();
    this.#finished = new Rate(this.#began);
  }

  finished(worker: string): void {
    this.#done++;
    this.#finished.count(this.#now());
    const counted = this.#of(worker);
    counted.done++;
    counted.finished.count(this.#now());
  }

  failed(worker: string, cell: string, error: string): void {
    this.#failed++;
    this.#of(worker).failed++;
    this.#failures = [...this.#failures, { cell, error }].slice(-TOLD_FAILURES);
  }

  /** A cell that was set aside was found finished after all. */
  mended(): void {
    this.#failed--;
  }

  see(seen: Seen): void {
    const counted = this.#of(seen.name);
    counted.seen = { ...counted.seen, ...seen };
  }

  end(): void {
    this.#ended = true;
  }

  state(): SweepState {
    const { total, before } = this.#options;
    const now = this.#now();
    const rate = this.#finished.at(now);
    const left = total - before - this.#done - this.#failed;
    // The minute's rate is zero while a long cell runs; the mean since the beginning is not.
    const pace = rate > 0 ? rate : this.#done / Math.max(now - this.#began, 1e-9);
    return {
      total,
      done: before + this.#done,
      failed: this.#failed,
      before,
      rate,
      elapsedSeconds: now - this.#began,
      ...(pace > 0 && { remainingSeconds: left / pace }),
      workers: [...this.#workers.values()].map(({ seen, done, failed, finished }) => ({
        ...seen,
        done,
        failed,
        rate: finished.at(now),
      })),
      failures: this.#failures,
      ended: this.#ended,
    };
  }

  #of(name: string): Counted {
    const known = this.#workers.get(name);
    if (known) return known;
    const counted = { seen: { name, is: "working" as const }, done: 0, failed: 0, finished: new Rate(this.#now()) };
    this.#workers.set(name, counted);
    return counted;
  }
}

/** Events a second over the last minute, counted by the second. */
class Rate {
  readonly #bins = new Map<number, number>();
  readonly #began: number;

  constructor(began: number) {
    this.#began = began;
  }

  count(now: number): void {
    const second = Math.floor(now);
    this.#bins.set(second, (this.#bins.get(second) ?? 0) + 1);
    for (const old of this.#bins.keys()) if (old <= second - WINDOW) this.#bins.delete(old);
  }

  at(now: number): number {
    let sum = 0;
    for (const [second, count] of this.#bins) if (second > Math.floor(now) - WINDOW) sum += count;
    return sum / Math.min(Math.max(now - this.#began, 1e-9), WINDOW);
  }
}
