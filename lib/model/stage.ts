/**
 * When each part of a model holds memory. A part is built and loaded at its first use; what stays afterwards is the
 * model's `memory` setting:
 *
 * - "fast": U-Net and VAE stay, the text encoders leave once they have encoded (their embeddings are kept).
 * - "lean": one part at a time; the one that is needed next takes the place of the one before.
 */

import type { Network } from "../graph/builder.ts";
import type { Runtime, Session } from "./sessions/session.ts";
import { atWork } from "./stop.ts";

export type MemoryMode = "fast" | "lean";

/** Called when a part is first needed: its weights may have to be prepared. */
export type Build = () => Network | Promise<Network>;

export class Stages {
  readonly #runtime: Runtime;
  readonly #mode: MemoryMode;
  readonly #loaded = new Map<string, Promise<Session>>();
  readonly #variants = new Map<string, string>();
  /** Calls wait for each other: two parts loading at once would hold what "lean" promises not to. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(runtime: Runtime, mode: MemoryMode) {
    this.#runtime = runtime;
    this.#mode = mode;
  }

  /**
   * Runs `f` on the part's session, loading it first where it is not there.
   *
   * @param variant which of the part's graphs; one of them is loaded at a time, as each holds the part's weights
   */
  use<T>(part: string, build: Build, f: (session: Session) => Promise<T>, variant = ""): Promise<T> {
    const result = this.#turn.then(async () => {
      if (this.#closed) throw new Error(`Cannot run the ${part}: the model was closed.`);
      if (this.#mode === "lean") await this.#releaseAllBut(part);
      try {
        if (this.#variants.get(part) !== variant) await this.#release(part);
        this.#variants.set(part, variant);
        return await atWork(async () => await f(await this.#load(part, build)));
      } finally {
        if (part.startsWith("text_encoder")) await this.#release(part);
      }
    });
    this.#turn = result.catch(() => {}); // the caller of `use` gets the error; the next in line must not
    return result;
  }

  /** Gives all memory back, after what is running now. What is needed again is loaded again. */
  rest(): Promise<void> {
    const done = this.#turn.then(() => this.#releaseAllBut(undefined));
    this.#turn = done;
    return done;
  }

  /** Releases everything, after what is running now. Later calls are refused. */
  close(): Promise<void> {
    this.#closed = true;
    return this.rest();
  }

  #load(part: string, build: Build): Promise<Session> {
    const loaded = this.#loaded.get(part);
    if (loaded) return loaded;
    const session = Promise.resolve(build()).then((network) => this.#runtime.load(network));
    this.#loaded.set(part, session);
    session.catch(() => this.#loaded.delete(part));
    return session;
  }

  async #release(part: string): Promise<void> {
    const session = this.#loaded.get(part);
    this.#loaded.delete(part);
    if (session) await (await session).release();
  }

  async #releaseAllBut(part: string | undefined): Promise<void> {
    for (const other of [...this.#loaded.keys()]) {
      if (other !== part) await this.#release(other);
    }
  }
}
