/**
 * A session of ONNX Runtime's C library. Loading and running leave JavaScript's thread free, and an aborted signal ends
 * both: a run before its next operator.
 *
 * Weights stay where the runtime maps or keeps them. Inputs are copied into tensors of the runtime's and outputs out of
 * them, or both are read and written where they lie outside of JavaScript's memory.
 */

import { CallThread } from "./call_thread.ts";
import { NativeMemory, text, textAt } from "./foreign.ts";
import { type OnnxRuntimeLibrary, onnxRuntimeLibrary, wantPointer } from "./onnxruntime_library.ts";
import { type Settings, setUp } from "./onnxruntime_settings.ts";
import { type Numbers, type PlacedTensor, readValue, type Result, valueAt, valueFrom } from "./onnxruntime_values.ts";
import { trimHeap } from "./pages.ts";

export interface OrtSessionOptions extends Settings {
  /** Tensors that are taken where they lie, and not from their files. */
  readonly initializers?: readonly Initializer[];
  /**
   * Whether all its runs are made on one thread beside JavaScript's, as providers want that keep something for each thread
   * they are called on. Default: on any of Deno's threads.
   */
  readonly oneThread?: boolean;
}

/** A tensor of a network, used until the session is released. */
export interface Initializer extends PlacedTensor {
  readonly name: string;
}

export interface OrtRunOptions {
  /** Ends the run, which then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Where outputs are to be written, by name. Default: into memory that is made for them, all of them. */
  readonly into?: Readonly<Record<string, PlacedTensor>>;
}

/** A network as the runtime takes it. */
export interface OrtModel {
  /** For errors: "unet". */
  readonly name: string;
  /** A serialised ONNX ModelProto. */
  readonly bytes: Uint8Array;
  readonly outputs: readonly { readonly name: string }[];
}

/** Where a call's result and what it reads lie in one block. */
const RESULT_BYTES = 64;

export class OrtSession {
  readonly #library: OnnxRuntimeLibrary;
  readonly #name: string;
  readonly #outputs: readonly string[];
  #session: Deno.PointerObject | undefined;
  readonly #oneThread: boolean;
  /** What it reads of its caller's memory. */
  readonly #initializers: readonly Deno.PointerObject[];
  /** Names of inputs and outputs as the library reads them. */
  readonly #names = new Map<string, NativeMemory>();
  /** Runs wait for each other: two at once would take twice the memory for the same work. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    library: OnnxRuntimeLibrary,
    model: OrtModel,
    session: Deno.PointerObject,
    initializers: readonly Deno.PointerObject[],
    { oneThread = false }: OrtSessionOptions,
  ) {
    this.#library = library;
    this.#oneThread = oneThread;
    this.#name = model.name;
    this.#outputs = model.outputs.map(({ name }) => name);
    this.#session = session;
    this.#initializers = initializers;
  }

  /** @throws Error saying which network and why, in the library's words; the reason of `signal` when it was aborted */
  static async load(model: OrtModel, options: OrtSessionOptions = {}, signal?: AbortSignal): Promise<OrtSession> {
    signal?.throwIfAborted();
    const library = onnxRuntimeLibrary();
    const { functions } = library;
    const what = `load the ${model.name}`;
    const settings = library.made((out) => functions.createSessionOptions.call(out), what);
    const cancel = () => void functions.cancelLoading.call(settings, true);
    const call = new NativeMemory(RESULT_BYTES + model.bytes.length);
    call.bytes.fill(0, 0, RESULT_BYTES);
    call.bytes.set(model.bytes, RESULT_BYTES);
    const initializers: Deno.PointerObject[] = [];
    let made: OrtSession | undefined;
    try {
      setUp(library, settings, options, what);
      for (const tensor of options.initializers ?? []) {
        const value = valueAt(library, tensor, what);
        initializers.push(value);
        library.want(functions.addInitializer.call(settings, text(tensor.name), value), what);
      }
      signal?.addEventListener("abort", cancel);
      const status = await functions.createSession.call(
        library.env,
        call.address + BigInt(RESULT_BYTES),
        BigInt(model.bytes.length),
        settings,
        call.address,
      );
      const [address] = new BigUint64Array(call.bytes.buffer, 0, 1);
      const session = Deno.UnsafePointer.create(address);
      if (signal?.aborted && session !== null) await functions.releaseSession.call(session);
      wantUnlessAborted(library, status, what, signal);
      return made = new OrtSession(library, model, wantPointer(address, what), initializers, options);
    } finally {
      call.free();
      signal?.removeEventListener("abort", cancel);
      functions.releaseSessionOptions.call(settings);
      if (made === undefined) { for (const value of initializers) functions.releaseValue.call(value); }
    }
  }

  /** @throws Error naming the layer that failed; the reason of `signal` when it was aborted */
  run(
    feeds: Readonly<Record<string, Numbers | PlacedTensor>>,
    options: OrtRunOptions = {},
  ): Promise<ReadonlyMap<string, Result>> {
    const result = this.#turn.then(() => this.#run(feeds, options));
    this.#turn = result.catch(() => {}); // the caller gets the error; the next in line must not
    return result;
  }

  async #run(
    feeds: Readonly<Record<string, Numbers | PlacedTensor>>,
    { signal, into = {} }: OrtRunOptions,
  ): Promise<ReadonlyMap<string, Result>> {
    if (this.#session === undefined) throw new Error(`Cannot run the ${this.#name}: its session was released.`);
    signal?.throwIfAborted();
    const { functions } = this.#library;
    const what = `run the ${this.#name}`;
    const values: Deno.PointerObject[] = [];
    const valueOf = (name: string, tensor: Numbers | PlacedTensor): bigint => {
      const value = valueFrom(this.#library, tensor, `give ${name} to the ${this.#name}`);
      values.push(value);
      return Deno.UnsafePointer.value(value);
    };
    const settings = this.#library.made((out) => functions.createRunOptions.call(out), what);
    const cancel = () => void functions.terminateRun.call(settings);
    const inputs = Object.entries(feeds);
    // Four lists of addresses: the inputs' names, the inputs, the outputs' names, and what becomes of them.
    const call = new NativeMemory(8 * 2 * (inputs.length + this.#outputs.length));
    let taken = 0;
    const list = (length: number) => {
      const place = taken;
      taken += 8 * length;
      return { words: new BigUint64Array(call.bytes.buffer, place, length), address: call.address + BigInt(place) };
    };
    const [names, given] = [list(inputs.length), list(inputs.length)];
    const [outputs, results] = [list(this.#outputs.length), list(this.#outputs.length)];
    try {
      for (const [i, [name, tensor]] of inputs.entries()) {
        names.words[i] = this.#nameAt(name);
        given.words[i] = valueOf(name, tensor);
      }
      for (const [i, name] of this.#outputs.entries()) {
        outputs.words[i] = this.#nameAt(name);
        // Zero where the runtime is to make the output.
        results.words[i] = Object.hasOwn(into, name) ? valueOf(name, into[name]) : 0n;
      }
      const placed = new Set(results.words);
      signal?.addEventListener("abort", cancel);
      const rest = [
        names.address,
        given.address,
        BigInt(inputs.length),
        outputs.address,
        BigInt(this.#outputs.length),
        results.address,
      ] as const;
      const status = this.#oneThread
        ? await CallThread.shared()
          .call(functions.run.pointer, [...[this.#session, settings].map(Deno.UnsafePointer.value), ...rest])
        : await functions.run.call(this.#session, settings, ...rest);
      for (const address of results.words) {
        const value = placed.has(address) ? null : Deno.UnsafePointer.create(address);
        if (value !== null) values.push(value);
      }
      wantUnlessAborted(this.#library, status, what, signal);
      const made = this.#outputs.flatMap((name, i) =>
        Object.hasOwn(into, name) ? [] : [
          [
            name,
            readValue(this.#library, wantPointer(results.words[i], what), `read ${name} of the ${this.#name}`),
          ] as const,
        ]
      );
      return new Map(made);
    } finally {
      signal?.removeEventListener("abort", cancel);
      functions.releaseRunOptions.call(settings);
      for (const value of values) functions.releaseValue.call(value);
      call.free();
    }
  }

  #nameAt(name: string): bigint {
    const known = this.#names.get(name) ?? NativeMemory.of(text(name));
    this.#names.set(name, known);
    return known.address;
  }

  /** Ends the trace. @returns its file */
  async endTrace(): Promise<string> {
    await this.#turn;
    const { functions } = this.#library;
    const what = `profile the ${this.#name}`;
    const session = this.#session;
    if (session === undefined) throw new Error(`Cannot ${what}: its session was released.`);
    const { allocator } = this.#library;
    const path = this.#library.made((out) => functions.endProfiling.call(session, allocator, out), what);
    try {
      return textAt(path);
    } finally {
      this.#library.want(functions.freeByAllocator.call(allocator, path), what);
    }
  }

  /** Gives the memory back, after what is running. */
  async release(): Promise<void> {
    await this.#turn;
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    const { functions } = this.#library;
    await functions.releaseSession.call(session);
    for (const value of this.#initializers) functions.releaseValue.call(value);
    for (const name of this.#names.values()) name.free();
    await trimHeap();
  }
}

/** What an aborted call says of itself is no news: the signal's reason is. */
function wantUnlessAborted(
  library: OnnxRuntimeLibrary,
  status: Deno.PointerValue,
  what: string,
  signal: AbortSignal | undefined,
): void {
  if (!signal?.aborted) return library.want(status, what);
  if (status !== null) library.functions.releaseStatus.call(status);
  throw signal.reason;
}
