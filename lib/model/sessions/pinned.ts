/** Sessions for inputs of one size, where a runtime needs to know sizes before it can place every operator. */

import type { Network } from "../../graph/builder.ts";
import { pinned } from "../../graph/rewrite.ts";
import type { Feeds, Outputs, Runtime, Session, SessionRunOptions } from "./session.ts";

/** Sizes that stay loaded: a run with a guidance interval takes turns between two. Each holds the weights once more. */
const KEPT = 2;

export class PinnedSession implements Session {
  readonly #network: Network;
  readonly #load: Runtime["load"];
  /** By the inputs' shapes, the one used last at the end. */
  readonly #sessions = new Map<string, Session>();
  #released = false;

  constructor(network: Network, load: Runtime["load"]) {
    this.#network = network;
    this.#load = load;
  }

  async run(feeds: Feeds, options?: SessionRunOptions): Promise<Outputs> {
    if (this.#released) throw new Error(`Cannot run the ${this.#network.name}: its session was released.`);
    const shapes = new Map(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));
    const key = JSON.stringify([...shapes].sort(([a], [b]) => (a < b ? -1 : 1)));
    let session = this.#sessions.get(key);
    this.#sessions.delete(key);
    if (session === undefined) {
      for (const [old, least] of [...this.#sessions].slice(0, Math.max(0, this.#sessions.size + 1 - KEPT))) {
        this.#sessions.delete(old);
        await least.release();
      }
      session = await this.#load(pinned(this.#network, shapes), options);
    }
    this.#sessions.set(key, session);
    return await session.run(feeds, options);
  }

  async release(): Promise<void> {
    this.#released = true;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) await session.release();
  }
}
