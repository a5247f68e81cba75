/** A large network in little memory: its pieces are loaded, run and released one after another, in every run. */

import { cut, weightBytes } from "../../graph/rewrite.ts";
import type { Network } from "../../graph/builder.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Feeds, Integers, Outputs, Runtime, Session, SessionRunOptions } from "./session.ts";

/** Networks whose weights are smaller in their file stay whole: cutting would save little. */
const WHOLE = 1 << 29;

/** Weights of a piece, in its file: two of the largest transformer blocks of SDXL and what they compute. */
const PIECE = 1 << 28;

export interface PieceLimits {
  /** Bytes of weights up to which a network is not cut. Default 512 MiB. */
  readonly whole?: number;
  /** Bytes of weights of a piece. Default 256 MiB. */
  readonly piece?: number;
}

/** Loads a network: whole where it is small, otherwise each piece when it is needed. */
export async function loadInPieces(
  network: Network,
  load: Runtime["load"],
  { whole = WHOLE, piece = PIECE }: PieceLimits = {},
  options?: SessionRunOptions,
): Promise<Session> {
  if (weightBytes(network) <= whole) return await load(network, options);
  const pieces = cut(network, piece);
  return pieces.length === 1 ? await load(network, options) : new PiecewiseSession(network, pieces, load);
}

class PiecewiseSession implements Session {
  readonly #network: Network;
  readonly #load: Runtime["load"];
  #pieces: readonly Network[];

  constructor(network: Network, pieces: readonly Network[], load: Runtime["load"]) {
    this.#network = network;
    this.#pieces = pieces;
    this.#load = load;
  }

  async run(feeds: Feeds, options: SessionRunOptions = {}): Promise<Outputs> {
    if (this.#pieces.length === 0) throw new Error(`Cannot run the ${this.#network.name}: its session was released.`);
    const values = new Map<string, Tensor | Integers>(Object.entries(feeds));
    const outputs = new Map<string, Tensor>();
    const wanted = new Set(this.#network.outputs.map(({ name }) => name));
    const lastUse = new Map(this.#pieces.flatMap(({ inputs }, i) => inputs.map(({ name }) => [name, i] as const)));
    for (const [i, piece] of this.#pieces.entries()) {
      options.signal?.throwIfAborted();
      const session = await this.#load(piece, options);
      try {
        const results = await session.run(pick(values, piece), options);
        for (const [name, value] of results) {
          if (wanted.has(name)) outputs.set(name, value);
          values.set(name, value);
        }
      } finally {
        await session.release();
      }
      for (const name of [...values.keys()]) if ((lastUse.get(name) ?? -1) <= i) values.delete(name);
    }
    return outputs;
  }

  release(): Promise<void> {
    this.#pieces = [];
    return Promise.resolve();
  }
}

function pick(values: ReadonlyMap<string, Tensor | Integers>, piece: Network): Feeds {
  return Object.fromEntries(piece.inputs.map(({ name }) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`Cannot run the ${piece.name}: its input ${name} is not there.`);
    return [name, value];
  }));
}
