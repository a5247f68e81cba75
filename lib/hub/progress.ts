/** How far a pull is. */

/** How far a pull is: told a few times a second. */
export interface PullProgress {
  /** The file in hand: its path in the repository. */
  readonly file: string;
  /** Files that are whole, of those that were asked for. */
  readonly files: { readonly done: number; readonly total: number };
  /** Of all files; what was in the cache already counts as done. */
  readonly bytes: { readonly done: number; readonly total: number };
  /** Over the network, in the last seconds. 0 for the first second: a rate of an instant says nothing. */
  readonly bytesPerSecond: number;
}

/** Milliseconds that the rate is taken over: short enough to follow a change, long enough to be read. */
const WINDOW = 5000;
/** Milliseconds before a rate is told. */
const FIRST = 1000;
/** Milliseconds between two reports within a file: no eye follows more. */
const PACE = 100;

export class ProgressMeter {
  readonly #report: (progress: PullProgress) => void;
  readonly #now: () => number;
  readonly #total: { readonly files: number; readonly bytes: number };
  readonly #began: number;
  #arrivals: { at: number; bytes: number }[] = [];
  #file = "";
  #filesDone = 0;
  /** Bytes of the files that are done. */
  #bytesDone = 0;
  #reported = -Infinity;

  constructor(
    total: { readonly files: number; readonly bytes: number },
    report: (progress: PullProgress) => void,
    now = () => performance.now(),
  ) {
    this.#total = total;
    this.#report = report;
    this.#now = now;
    this.#began = now();
  }

  begin(file: string): void {
    this.#file = file;
    this.#tell(0);
  }

  /** @param have bytes of the file in hand; @param arrived those that came just now */
  advance(have: number, arrived: number): void {
    const at = this.#now();
    if (arrived > 0) this.#arrivals.push({ at, bytes: arrived });
    if (at - this.#reported >= PACE) this.#tell(have);
  }

  end(size: number): void {
    this.#filesDone++;
    this.#bytesDone += size;
    this.#tell(0);
  }

  #tell(have: number): void {
    const at = this.#now();
    this.#reported = at;
    this.#arrivals = this.#arrivals.filter((arrival) => arrival.at > at - WINDOW);
    const bytes = this.#arrivals.reduce((sum, arrival) => sum + arrival.bytes, 0);
    const span = Math.min(WINDOW, at - this.#began);
    this.#report({
      file: this.#file,
      files: { done: this.#filesDone, total: this.#total.files },
      bytes: { done: this.#bytesDone + have, total: this.#total.bytes },
      bytesPerSecond: span >= FIRST ? bytes / span * 1000 : 0,
    });
  }
}
