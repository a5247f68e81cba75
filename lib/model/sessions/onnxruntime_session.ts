/**
 * A session of ONNX Runtime's C library. Loading and running leave JavaScript's thread free, and an aborted signal ends
 * both: a run before its next operator.
 *
 * Weights stay where the runtime maps or keeps them. Inputs are copied into tensors of the runtime's and outputs out of
 * them, or both are read and written where they lie outside of JavaScript's memory.
 */

import { formatShape, type Shape, sizeOf } from "../../tensor/tensor.ts";
import { CallThread } from "./call_thread.ts";
import { NativeMemory, text, textAt, viewAt } from "./foreign.ts";
import { type OnnxRuntimeLibrary, onnxRuntimeLibrary, wantPointer } from "./onnxruntime_library.ts";
import { type Settings, setUp } from "./onnxruntime_settings.ts";
import { trimHeap } from "./pages.ts";

/** A tensor in JavaScript's memory. */
export interface Numbers {
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  readonly shape: Shape;
}

/** A tensor outside of it, which must stay there as long as it is used. */
export interface PlacedTensor {
  /** `ONNXTensorElementDataType` */
  readonly type: number;
  readonly shape: Shape;
  readonly address: bigint;
  readonly byteLength: number;
}

/** What the runtime gave. */
export interface Result {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: Shape;
}

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

/** `ONNXTensorElementDataType` */
export const ELEMENT = { float32: 1, int32: 6, float16: 10, bfloat16: 16 } as const;

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
      const value = this.#valueOf(name, tensor);
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
        ? await CallThread.shared().call({
          function: functions.run.pointer,
          words: [Deno.UnsafePointer.value(this.#session), Deno.UnsafePointer.value(settings), ...rest],
        })
        : await functions.run.call(this.#session, settings, ...rest);
      for (const address of results.words) {
        const value = placed.has(address) ? null : Deno.UnsafePointer.create(address);
        if (value !== null) values.push(value);
      }
      wantUnlessAborted(this.#library, status, what, signal);
      const made = this.#outputs.flatMap((name, i) =>
        Object.hasOwn(into, name) ? [] : [[name, this.#take(name, wantPointer(results.words[i], what))] as const]
      );
      return new Map(made);
    } finally {
      signal?.removeEventListener("abort", cancel);
      functions.releaseRunOptions.call(settings);
      for (const value of values) functions.releaseValue.call(value);
      call.free();
    }
  }

  /** A tensor of the runtime's: over memory that is there, or with a copy of JavaScript's. */
  #valueOf(name: string, tensor: Numbers | PlacedTensor): Deno.PointerObject {
    const what = `give ${name} to the ${this.#name}`;
    if ("address" in tensor) return valueAt(this.#library, tensor, what);
    const { data, shape } = tensor;
    if (sizeOf(shape) !== data.length) {
      throw new RangeError(`Cannot ${what}: ${data.length} numbers do not fill ${formatShape(shape)}.`);
    }
    const { functions, allocator } = this.#library;
    const [sizes, rank] = [BigInt64Array.from(shape, BigInt), BigInt(shape.length)];
    const type = data instanceof Float32Array ? ELEMENT.float32 : ELEMENT.int32;
    const value = this.#library.made((out) => functions.createTensor.call(allocator, sizes, rank, type, out), what);
    if (data.byteLength > 0) {
      const at = this.#library.made((out) => functions.tensorData.call(value, out), what);
      viewAt(Deno.UnsafePointer.value(at), data.byteLength)
        .set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    return value;
  }

  #nameAt(name: string): bigint {
    const known = this.#names.get(name) ?? NativeMemory.of(text(name));
    this.#names.set(name, known);
    return known.address;
  }

  /** A copy of a tensor of the runtime's. */
  #take(name: string, value: Deno.PointerObject): Result {
    const { functions } = this.#library;
    const what = `read ${name} of the ${this.#name}`;
    const info = this.#library.made((out) => functions.typeAndShape.call(value, out), what);
    try {
      const type = new Int32Array(1);
      this.#library.want(functions.elementType.call(info, type), what);
      if (type[0] !== ELEMENT.float32) {
        throw new TypeError(`Cannot ${what}: wanted float32, its type has the number ${type[0]}.`);
      }
      const rank = new BigUint64Array(1);
      this.#library.want(functions.rank.call(info, rank), what);
      const sizes = new BigInt64Array(Number(rank[0]));
      this.#library.want(functions.dimensions.call(info, sizes, rank[0]), what);
      const shape = Array.from(sizes, Number);
      const data = new Float32Array(sizeOf(shape));
      if (data.length > 0) {
        const from = this.#library.made((out) => functions.tensorData.call(value, out), what);
        Deno.UnsafePointerView.copyInto(from, data);
      }
      return { data, shape };
    } finally {
      functions.releaseTypeAndShape.call(info);
    }
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

/** A tensor of the runtime's over memory that is there. */
function valueAt(
  library: OnnxRuntimeLibrary,
  { type, shape, address, byteLength }: PlacedTensor,
  what: string,
): Deno.PointerObject {
  const { functions, cpuMemory } = library;
  const sizes = BigInt64Array.from(shape, BigInt);
  const [place, bytes, rank] = [Deno.UnsafePointer.create(address), BigInt(byteLength), BigInt(shape.length)];
  return library.made((out) => functions.createTensorOn.call(cpuMemory, place, bytes, sizes, rank, type, out), what);
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
