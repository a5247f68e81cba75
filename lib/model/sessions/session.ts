/** What runs a network. Nothing above this folder knows which runtime it is. */

import type { Lowering, Network } from "../../graph/builder.ts";
import type { NetworkProfile } from "../../measure/profile.ts";
import type { Shape, Tensor } from "../../tensor/tensor.ts";
import type { Refusals } from "../precision.ts";

/** Whole numbers, such as token ids: the one input that is not float32. */
export interface Integers {
  readonly data: Int32Array<ArrayBuffer>;
  readonly shape: Shape;
}

export type Feeds = Readonly<Record<string, Tensor | Integers>>;

export type Outputs = ReadonlyMap<string, Tensor>;

export interface SessionRunOptions {
  /** Ends a run, or a load, in its middle where the runtime can; it then fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Session {
  /**
   * Runs the network once. JavaScript's thread is free meanwhile; the feeds must not change until the run is done.
   *
   * @throws an Error naming the layer that failed; the reason of `signal` when it was aborted
   */
  run(feeds: Feeds, options?: SessionRunOptions): Promise<Outputs>;
  /** Gives the memory back. A released session must not run again. */
  release(): Promise<void>;
}

/** A library and a device that run networks. */
export interface Runtime {
  /** For people: "ONNX Runtime 1.30.0, CPU". */
  readonly name: string;
  /**
   * How its graphs are to be written.
   *
   * @internal
   */
  readonly lowering: Lowering;
  /**
   * How they are to be written where it computes in less, if it can. Default: `lowering`.
   *
   * @internal
   */
  readonly reduced?: Readonly<Partial<Record<"fp16" | "bf16", Lowering>>>;
  /** What it does not compute in, with the reason. */
  readonly refused: Refusals;
  /**
   * Loads a network and its weights.
   *
   * @internal
   * @throws an Error whose message says which network and why; the reason of a signal that was aborted
   */
  load(network: Network, options?: SessionRunOptions): Promise<Session>;
  /**
   * The same runtime with its per-operator clock on. Every run is repeated on the same inputs, once to warm up and then
   * `rounds` times; the profile is reported when the session is released. Missing where the runtime has no such clock.
   */
  profiled?(rounds: number, report: (profile: NetworkProfile) => void): Runtime;
}
