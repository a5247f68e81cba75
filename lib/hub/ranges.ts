/** The bytes of a file from the hub, in order, several ranges of it under way at once. */

import type { Answer, Client } from "./client.ts";
import type { HubFile } from "./listing.ts";
import { Hiccup } from "./patience.ts";
import { formatReference, type Reference } from "./reference.ts";

/** Thrown when a server sends the whole file where a range was asked for. */
export class NoRanges extends Error {}

export interface Span {
  readonly start: number;
  /** The byte after the last. */
  readonly end: number;
}

/** Where a file comes from. */
export class Source {
  readonly #client: Client;
  readonly #reference: Reference;
  readonly #file: HubFile;
  readonly #address: string;
  /** Where the hub's address led: a signed address, good for some minutes. */
  #located: string | undefined;

  constructor(client: Client, reference: Reference, commit: string, file: HubFile) {
    this.#client = client;
    this.#reference = { ...reference, file: file.path };
    this.#file = file;
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    this.#address = `${client.endpoint}/${reference.repo}/resolve/${commit}/${path}`;
  }

  /** The bytes of a span; a cut connection is taken up where it broke. @throws NoRanges, or Error in one sentence */
  async *bytes({ start, end }: Span, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const patience = this.#client.patience(signal);
    let at = start;
    while (at < end) {
      try {
        for await (const piece of (await this.#open(at, end, signal)).pieces()) {
          at += piece.length;
          if (at > end) throw this.#fault(`more bytes arrived than the ${this.#file.size} that the hub lists`);
          patience.renew();
          yield piece;
        }
        if (at < end) throw new Hiccup(`the file ended at byte ${at} of ${this.#file.size}`);
      } catch (error) {
        if (!(error instanceof Hiccup)) throw error;
        await patience.after(error, this.#what());
      }
    }
  }

  /** The whole file without ranges, its first bytes dropped as they are there already. */
  async *rest(have: number, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const patience = this.#client.patience(signal);
    const { size } = this.#file;
    let at = have;
    while (at < size) {
      let passed = 0;
      try {
        for await (const piece of (await this.#open(0, size, signal)).pieces()) {
          passed += piece.length;
          if (passed > size) throw this.#fault(`more bytes arrived than the ${size} that the hub lists`);
          if (passed <= at) continue;
          const fresh = piece.subarray(piece.length - (passed - at));
          at = passed;
          patience.renew();
          yield fresh;
        }
        if (at < size) throw new Hiccup(`the file ended at byte ${passed} of ${size}`);
      } catch (error) {
        if (!(error instanceof Hiccup)) throw error;
        await patience.after(error, this.#what());
      }
    }
  }

  /** @throws Hiccup where a signed address has grown old */
  async #open(at: number, end: number, signal: AbortSignal): Promise<Answer> {
    const { size } = this.#file;
    const whole = at === 0 && end === size;
    const headers: HeadersInit = whole ? {} : { range: `bytes=${at}-${end - 1}` };
    const answer = await this.#client.ask(this.#located ?? this.#address, { headers }, {
      reference: this.#reference,
      patience: this.#client.patience(signal),
      signal,
    });
    if (answer.status === 200 || answer.status === 206) {
      try {
        this.#check(answer, at, whole);
      } catch (error) {
        await answer.drop();
        throw error;
      }
      this.#located = answer.url;
      return answer;
    }
    await answer.drop();
    if (answer.status === 416) throw this.#fault(`the server's file has no byte ${at}, the hub lists ${size}`);
    // Only the hub itself knows who may read what: a storage that refuses has been sent an address that is too old.
    if (!this.#client.isHub(answer.url)) {
      this.#located = undefined;
      throw new Hiccup(`${new URL(answer.url).host} answered ${answer.status}`);
    }
    throw this.#client.refusal(answer, this.#reference);
  }

  #check(answer: Answer, at: number, whole: boolean): void {
    const { size } = this.#file;
    if (answer.status === 200) {
      if (!whole) throw new NoRanges();
      const length = answer.headers.get("content-length");
      if (length !== null && Number(length) !== size) {
        throw this.#fault(`the server's file has ${length} bytes, the hub lists ${size}`);
      }
      return;
    }
    const range = answer.headers.get("content-range") ?? "";
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? [];
    if (Number(first) !== at) throw this.#fault(`bytes from ${at} on were wanted, the server sent "${range}"`);
    if (total !== "*" && Number(total) !== size) {
      throw this.#fault(`the server's file has ${total} bytes, the hub lists ${size}`);
    }
  }

  #what(): string {
    return `pull ${formatReference(this.#reference)}`;
  }

  #fault(why: string): Error {
    return new Error(`Cannot ${this.#what()}: ${why}.`);
  }
}

export interface Lanes {
  /** Bytes of a range: with `count`, what memory is taken. */
  readonly bytes: number;
  /** Ranges under way at once. */
  readonly count: number;
}

/**
 * The bytes from `have` to the end, in order. The first range is handed on as it arrives, the next ones wait in
 * memory until it is their turn: so what is on the disk is always the file's beginning without a hole, any program
 * may resume it by its length, and its hash is taken as it is written.
 */
export async function* inOrder(
  source: Source,
  have: number,
  size: number,
  { bytes, count }: Lanes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const lanes: ReadableStream<Uint8Array<ArrayBuffer>>[] = [];
  let next = have;
  try {
    for (;;) {
      for (; lanes.length < count && next < size; next += bytes) {
        lanes.push(ahead(source.bytes({ start: next, end: Math.min(size, next + bytes) }, both), bytes));
      }
      if (lanes.length === 0) return;
      const reader = lanes[0].getReader();
      try {
        for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
      } finally {
        reader.releaseLock();
      }
      lanes.shift();
    }
  } finally {
    // First the requests, then the lanes: a lane ends only when the request that it waits for has ended.
    stop.abort(new DOMException("The download has ended.", "AbortError"));
    // What the other lanes end with is of no interest any more.
    await Promise.allSettled(lanes.map((lane) => lane.cancel()));
  }
}

/** Reads on before it is asked to, up to a number of bytes. */
function ahead(
  source: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  bytes: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await source.return(undefined);
    },
  }, { highWaterMark: bytes, size: (piece) => piece.length });
}
