/**
 * Foreign calls that leave JavaScript's thread free, and are all made by one other thread: Deno makes such calls on any
 * of its threads, and ONNX Runtime's CUDA provider makes its handles of cuBLAS and cuDNN anew for each thread that it is
 * called on. On an H100 that was 0.2 s for each of a run's first steps, whose own work took 0.04.
 */

import { Worker } from "node:worker_threads";
import * as v from "valibot";

/** What goes to the thread. */
export const callMessage = v.object({ id: v.number(), address: v.bigint(), words: v.array(v.bigint()) });

/** What comes back: an address, or why there was none. */
const answerMessage = v.object({ id: v.number(), result: v.optional(v.bigint()), error: v.optional(v.string()) });

export class CallThread {
  static #shared: CallThread | undefined;

  /** This program's or worker's one, begun at its first use. While it has nothing to do it keeps no process. */
  static shared(): CallThread {
    return CallThread.#shared ??= new CallThread();
  }

  readonly #worker = new Worker(new URL("./call_thread_worker.ts", import.meta.url));
  readonly #waiting = new Map<number, PromiseWithResolvers<Deno.PointerValue>>();
  #calls = 0;

  private constructor() {
    this.#worker.unref();
    this.#worker.on("message", (message) => this.#answer(v.parse(answerMessage, message)));
    this.#worker.on("error", (error) => this.#fail(error));
  }

  /** Calls a function of addresses and lengths, after the calls before. @returns what it gives: an address */
  call(called: Deno.PointerObject, words: readonly bigint[]): Promise<Deno.PointerValue> {
    const id = this.#calls++;
    const waiting = Promise.withResolvers<Deno.PointerValue>();
    if (this.#waiting.size === 0) this.#worker.ref();
    this.#waiting.set(id, waiting);
    const message: v.InferOutput<typeof callMessage> = {
      id,
      address: Deno.UnsafePointer.value(called),
      words: [...words],
    };
    this.#worker.postMessage(message);
    return waiting.promise;
  }

  #answer({ id, result, error }: v.InferOutput<typeof answerMessage>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (error !== undefined) waiting?.reject(new Error(error));
    else waiting?.resolve(Deno.UnsafePointer.create(result ?? 0n));
  }

  /** The thread is gone: what waits for it fails, and the next call begins another. */
  #fail(error: Error): void {
    if (CallThread.#shared === this) CallThread.#shared = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
