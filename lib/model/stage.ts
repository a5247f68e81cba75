/**
 * When each part of a model holds memory. A part is built and loaded at its first use; what stays afterwards is the
 * model's `memory` setting:
 *
 * - "fast": U-Net and VAE stay, the text encoders leave once they have encoded (their embeddings are kept).
 * - "lean": one part at a time; the one that is needed next takes the place of the one before.
 */

import type { Network } from "../graph/builder.ts";
import { type Memory, memoryOf, readMemory, type Stage } from "../measure/memory.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { blame, wantFinite } from "./finite.ts";
import type { Feeds, Outputs, Runtime, Session, SessionRunOptions } from "./sessions/session.ts";
import { atWork } from "./stop.ts";

/** "fast": U-Net and VAE stay loaded. "lean": one part at a time, in less memory, loaded again each time. */
export type MemoryMode = "fast" | "lean";

/** Called when a part is first needed: its weights may have to be prepared. */
export type Build = () => Network | Promise<Network>;

export interface UseOptions extends SessionRunOptions {
  /** Which of the part's graphs; one of them is loaded at a time, as each holds the part's weights. */
  readonly variant?: string;
}

export class Stages {
  readonly #runtime: Runtime;
  readonly #mode: MemoryMode;
  readonly #loaded = new Map<string, Promise<Session>>();
  readonly #variants = new Map<string, string>();
  /** Calls wait for each other: two parts loading at once would hold what "lean" promises not to. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #memory: Partial<Record<Stage, Memory>> = {};

  constructor(runtime: Runtime, mode: MemoryMode) {
    this.#runtime = runtime;
    this.#mode = mode;
  }

  /** Runs `f` on the part's session, loading it first where it is not there. A stop ends both. */
  use<T>(
    part: string,
    build: Build,
    f: (session: Session, options: SessionRunOptions) => Promise<T>,
    { variant = "", signal }: UseOptions = {},
  ): Promise<T> {
    const result = this.#turn.then(async () => {
      signal?.throwIfAborted();
      if (this.#closed) throw new Error(`Cannot run the ${part}: the model was closed.`);
      if (this.#mode === "lean") await this.#releaseAllBut(part);
      try {
        if (this.#variants.get(part) !== variant) await this.#release(part);
        this.#variants.set(part, variant);
        const { value, memory } = await memoryOf(() =>
          atWork(async (signal) => await f(await this.#load(part, build, { signal }), { signal }), signal)
        );
        this.#memory[stageOf(part)] = memory;
        return value;
      } finally {
        if (part.startsWith("text_encoder")) await this.#release(part);
      }
    });
    this.#turn = result.catch(() => {}); // the caller of `use` gets the error; the next in line must not
    return result;
  }

  /** The process's memory now, and what each stage that has run took. */
  get memory(): Memory {
    return { ...readMemory(), stages: { ...this.#memory } };
  }

  /**
   * Whether an output of a part's network holds numbers. Where it does not, the part is loaded again to find the layer.
   *
   * @throws RangeError naming the first value that is NaN or infinite, and the layer that it comes from
   */
  async wantFinite(part: string, build: Build, feeds: Feeds, output: Tensor, what: string): Promise<void> {
    try {
      wantFinite(output, what);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const layer = await blame(await build(), (network) => this.#once(part, network, feeds));
      throw layer === undefined ? error : new RangeError(`${error.message} The first layer to give such is ${layer}.`);
    }
  }

  /** Runs a network of a part by itself: what was loaded of the part makes room for it. */
  #once(part: string, network: Network, feeds: Feeds): Promise<Outputs> {
    const result = this.#turn.then(async () => {
      await this.#release(part);
      const session = await this.#runtime.load(network);
      try {
        return await session.run(feeds);
      } finally {
        await session.release();
      }
    });
    this.#turn = result.catch(() => {});
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

  #load(part: string, build: Build, options: SessionRunOptions): Promise<Session> {
    const loaded = this.#loaded.get(part);
    if (loaded) return loaded;
    const session = Promise.resolve(build()).then((network) => this.#runtime.load(network, options));
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

/** Sessions are named after their part: text_encoder_2, unet, vae, preview_encoder, … */
function stageOf(part: string): Stage {
  return part.startsWith("text_encoder") ? "text" : part === "unet" ? "unet" : "vae";
}
