/**
 * Requests to the hub: redirects followed one by one, the token shown to the hub's own origin and to nobody else,
 * what may pass tried again.
 *
 * Redirects are followed by hand: the hub answers with a signed address on another host, which must not see the token,
 * whatever an injected `fetch` does with headers; and `fetch` would follow to `file:` addresses.
 */

import { VERSION } from "../version.ts";
import { refusal } from "./faults.ts";
import { Hiccup, Patience, type Retry, retryAfter } from "./patience.ts";
import { formatReference, type Reference } from "./reference.ts";

/** The hub needs one or two; more than this is a circle. */
const MOST_REDIRECTS = 10;
/** A page of a listing has 1,000 files, some hundred bytes each. */
const LARGEST_JSON = 32 * 2 ** 20;

export interface ClientOptions {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
  readonly retry: Retry;
  readonly signal: AbortSignal | undefined;
}

interface Question {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit | null;
}

/** An answer with any status that another try would not change. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where it came from, after redirects. */
  readonly url: string;
  /** The body as it arrives. @throws Hiccup when the connection is cut */
  pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  /** Lets the connection go, unread. */
  drop(): Promise<void>;
}

export class Client {
  readonly #options: ClientOptions;
  readonly #origin: string;
  /** Whether anybody has answered yet. */
  #reached = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#origin = new URL(options.endpoint).origin;
  }

  get endpoint(): string {
    return this.#options.endpoint;
  }

  /** Whether an address is the hub's own, and not that of a storage that it leads to. */
  isHub(url: string): boolean {
    return new URL(url).origin === this.#origin;
  }

  /** @param signal stops this request; default the client's own */
  patience(signal: AbortSignal | undefined = this.#options.signal): Patience {
    return new Patience(this.#options.retry, signal);
  }

  /** Asks until there is an answer. @throws Error, one sentence, when patience ends */
  async ask(
    url: string,
    question: Question,
    { reference, patience, signal = this.#options.signal }: {
      readonly reference: Reference;
      readonly patience: Patience;
      readonly signal?: AbortSignal;
    },
  ): Promise<Answer> {
    for (;;) {
      try {
        return await this.#once(new URL(url), question, reference, signal);
      } catch (error) {
        if (!(error instanceof Hiccup)) throw error;
        // A laptop without a network should hear so at once; one that loses it in the midst gets patience.
        if (error.unreachable && !this.#reached) {
          throw new Error(`Cannot pull ${formatReference(reference)}: ${error.message}. Is the network up?`);
        }
        await patience.after(error, `pull ${formatReference(reference)}`);
      }
    }
  }

  refusal(answer: Answer, reference: Reference): Error {
    const { endpoint, token } = this.#options;
    const code = answer.headers.get("x-error-code");
    return refusal(reference, { status: answer.status, code, endpoint, withToken: token !== undefined });
  }

  /**
   * `fetch` for `@huggingface/hub`, for small JSON. The library is given no token, as it would send it to whatever
   * host a listing's next page is said to be on, and wants every token to begin with "hf_".
   */
  fetchFor(reference: Reference): typeof fetch {
    return async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      const patience = this.patience();
      for (;;) {
        const question = { method: init?.method, headers: init?.headers, body: init?.body };
        const answer = await this.ask(url, question, { reference, patience });
        if (answer.status !== 200) {
          await answer.drop();
          throw this.refusal(answer, reference);
        }
        try {
          const bytes = await readAll(answer, reference);
          return new Response(bytes, { status: 200, headers: answer.headers });
        } catch (error) {
          if (!(error instanceof Hiccup)) throw error;
          await patience.after(error, `pull ${formatReference(reference)}`);
        }
      }
    };
  }

  async #once(
    start: URL,
    question: Question,
    reference: Reference,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const { fetch, retry: { idle = 60_000 } } = this.#options;
    const watch = new Watch(idle, signal);
    let url = start;
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      const response = await watch.over(
        url,
        () =>
          fetch(url, { ...question, headers: this.#headers(url, question), redirect: "manual", signal: watch.signal }),
      );
      this.#reached = true;
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        await response.body?.cancel();
        url = nextStop(url, location, reference);
        continue;
      }
      const { status, headers } = response;
      if (status === 408 || status === 429 || status >= 500) {
        await response.body?.cancel();
        const why = status === 429 ? "asks for fewer requests (429)" : `has trouble (${status})`;
        throw new Hiccup(`${url.host} ${why}`, { retryAfter: retryAfter(headers) });
      }
      return {
        status,
        headers,
        url: url.href,
        pieces: () => piecesOf(response, url, watch),
        drop: async () => await response.body?.cancel(),
      };
    }
    throw new Error(`Cannot pull ${formatReference(reference)}: ${start.host} redirects in a circle.`);
  }

  #headers(url: URL, { headers: given }: Question): Headers {
    const headers = new Headers(given);
    headers.set("user-agent", `fewstep/${VERSION}`);
    // Ranges and sizes are of the file's own bytes.
    headers.set("accept-encoding", "identity");
    const { token } = this.#options;
    if (token !== undefined && this.isHub(url.href)) headers.set("authorization", `Bearer ${token}`);
    return headers;
  }
}

function nextStop(from: URL, location: string, reference: Reference): URL {
  const refuse = (why: string) => new Error(`Cannot pull ${formatReference(reference)}: ${from.host} ${why}.`);
  if (!URL.canParse(location, from)) throw refuse("redirects to no valid address");
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== "http:") throw refuse(`redirects to a ${to.protocol} address`);
  if (from.protocol === "https:" && to.protocol === "http:") throw refuse("redirects to an unencrypted address");
  return to;
}

/** Ends a request that the user stops, or on which nothing arrives for too long. */
class Watch {
  readonly #idle: number;
  readonly #user: AbortSignal | undefined;
  readonly #late = new AbortController();
  readonly signal: AbortSignal;

  constructor(idle: number, user: AbortSignal | undefined) {
    this.#idle = idle;
    this.#user = user;
    this.signal = user === undefined ? this.#late.signal : AbortSignal.any([user, this.#late.signal]);
  }

  /** @throws the user's reason to stop, else Hiccup */
  async over<T>(url: URL, wait: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#late.abort(), this.#idle);
    try {
      this.#user?.throwIfAborted();
      return await wait();
    } catch (error) {
      this.#user?.throwIfAborted();
      if (this.#late.signal.aborted) throw new Hiccup(`${url.host} sent nothing for ${this.#idle / 1000} s`);
      throw failed(url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * A failed connection as a clause. The message of `fetch` is looked at and not shown: signed addresses are secrets.
 */
function failed(url: URL, error: unknown): Hiccup {
  if (error instanceof Deno.errors.NotCapable) {
    throw new Deno.errors.NotCapable(`Cannot reach ${url.host}: Deno was not allowed to, by --allow-net.`);
  }
  const texts = [error, error instanceof Error ? error.cause : undefined];
  const text = texts.map((error) => error instanceof Error ? error.message : "").join(" ");
  const [, why] = CAUSES.find(([pattern]) => pattern.test(text)) ?? [, "cut"];
  return new Hiccup(`the connection to ${url.host} failed (${why})`, { unreachable: /\(Connect\)/.test(text) });
}

const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/dns error|failed to lookup/i, "its name is not known"],
  [/refused/i, "refused"],
  [/certificate|tls/i, "no trusted certificate"],
  [/reset/i, "reset"],
];

async function* piecesOf(response: Response, url: URL, watch: Watch): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await watch.over(url, () => reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    // A connection that is already cut has nothing left to cancel.
    await reader.cancel().catch(() => {});
  }
}

async function readAll(answer: Answer, reference: Reference): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const piece of answer.pieces()) {
    length += piece.length;
    if (length > LARGEST_JSON) {
      throw new RangeError(
        `Cannot pull ${formatReference(reference)}: the hub's answer is above ${LARGEST_JSON / 2 ** 20} MiB.`,
      );
    }
    parts.push(piece);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
