/** Trying again: waits that double from failure to failure, until enough is enough or the user stops. */

/** How often and how long a connection that fails is tried again. */
export interface Retry {
  /** Failures in a row that are borne; each byte that arrives begins the count anew. Default 5. */
  readonly times?: number;
  /** Milliseconds before the first repetition; each next one waits twice as long. Default 1,000. */
  readonly wait?: number;
  /** Milliseconds without a byte after which a connection counts as cut. Default 60,000. */
  readonly idle?: number;
  /** The longest that a server's Retry-After is obeyed, in milliseconds. Default 300,000; beyond it is an error. */
  readonly longest?: number;
}

/** Something that may go well the next time. The message is a clause: "the connection to cdn.example was cut". */
export class Hiccup extends Error {
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
  /** Whether there was nobody to connect to. */
  readonly unreachable: boolean;

  constructor(
    clause: string,
    { retryAfter, unreachable = false }: { readonly retryAfter?: number; readonly unreachable?: boolean } = {},
  ) {
    super(clause);
    this.retryAfter = retryAfter;
    this.unreachable = unreachable;
  }
}

export class Patience {
  readonly #times: number;
  readonly #wait: number;
  readonly #longest: number;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor({ times = 5, wait = 1000, longest = 300_000 }: Retry, signal?: AbortSignal) {
    this.#times = times;
    this.#wait = wait;
    this.#longest = longest;
    this.#signal = signal;
  }

  /** Something arrived: the failures so far are forgiven. */
  renew(): void {
    this.#failures = 0;
  }

  /**
   * Waits before the next try.
   *
   * @param what what is being done: "pull org/name:file"
   * @throws Error, one sentence, when there were too many failures in a row or the server asks for too long a wait
   */
  async after(hiccup: Hiccup, what: string): Promise<void> {
    this.#failures++;
    if (this.#failures > this.#times) {
      throw new Error(`Cannot ${what}: ${hiccup.message}, ${this.#failures} times in a row. Is the network up?`);
    }
    const wait = hiccup.retryAfter ?? this.#wait * 2 ** (this.#failures - 1);
    if (wait > this.#longest) {
      throw new Error(`Cannot ${what}: ${hiccup.message} and asks to come back in ${Math.ceil(wait / 1000)} s.`);
    }
    await pause(wait, this.#signal);
  }
}

/** @throws the signal's reason, as soon as it is aborted */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * How long a server asks to wait, in milliseconds: Retry-After, as seconds or as a date (RFC 9110, 10.2.3), or the
 * seconds until a spent quota begins anew (`RateLimit: "api";r=0;t=55`, as the hub sends it).
 */
export function retryAfter(headers: Headers, now = Date.now()): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (value === undefined) {
    const [, seconds] = /;\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "") ?? [];
    return seconds === undefined ? undefined : Number(seconds) * 1000;
  }
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
