/**
 * OpenVINO's home: Intel's runtime for its processors, GPUs and NPUs, by its C library. Networks are compiled once for
 * all sizes. A run leaves JavaScript's thread free, and can be stopped in its middle.
 *
 * https://docs.openvino.ai/2026/api/c_cpp_api/group__ov__c__api.html
 */

import type { Network } from "../../graph/builder.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Precision } from "../precision.ts";
import { addressOf, NativeMemory, text, textAt, viewAt } from "./foreign.ts";
import { type OpenVinoLibrary, openVinoLibrary } from "./openvino_library.ts";
import { trimHeap } from "./pages.ts";
import type { Feeds, Integers, Outputs, Runtime, Session, SessionRunOptions } from "./session.ts";
import { ways } from "./ways.ts";

export type OpenVinoDevice = "CPU" | "GPU" | "NPU";

export interface OpenVinoOptions {
  readonly device?: OpenVinoDevice;
  /** Threads of the processor. Default: the runtime's own choice, one a core. */
  readonly threads?: number;
}

/** `ov_element_type_e` */
const ELEMENT = { int32: 9, float32: 4 } as const;

/** What networks are to be computed in, as the property's values. */
const INFERENCE_PRECISION = { fp16: "f16", bf16: "bf16", fp32: "f32" } as const;

/**
 * OpenVINO on one of its devices.
 *
 * @throws RangeError where the library is missing or does not know the device
 */
export function openVino({ device = "CPU", threads }: OpenVinoOptions = {}): Runtime {
  const core = openCore();
  const devices = core.devices();
  if (!devices.some((name) => name === device || name.startsWith(`${device}.`))) {
    throw new RangeError(
      `Cannot compute on openvino:${device}: OpenVINO sees no such device here. It sees ${devices.join(", ")}.`,
    );
  }
  const capabilities = core.property(device, "OPTIMIZATION_CAPABILITIES").split(/[\s,]+/);
  const refused: Partial<Record<Precision, string>> = { ...ways.openvino.refused };
  for (const [precision, capability] of [["fp16", "FP16"], ["bf16", "BF16"]] as const) {
    if (!capabilities.includes(capability)) refused[precision] = `this ${device} has no ${capability} arithmetic`;
  }
  return {
    name: `OpenVINO ${core.version}, ${device}`,
    ...ways.openvino,
    refused,
    load: (network) => core.compile(network, { device, threads }),
  };
}

let core: Core | undefined;

/** One a process: it holds the plugins and their threads. */
function openCore(): Core {
  return core ??= new Core(openVinoLibrary());
}

/** A library call's result. @throws Error with the library's own words */
function want({ functions }: OpenVinoLibrary, status: number, what: string): void {
  if (status === 0) return;
  const message = functions.ov_get_last_err_msg();
  const words = message === null ? `error ${status}` : Deno.UnsafePointerView.getCString(message);
  throw new Error(`Cannot ${what}: ${words.trim().replace(/\s*\n\s*/g, " ")}.`);
}

class Core {
  readonly #library: OpenVinoLibrary;
  readonly #core: Deno.PointerObject;
  readonly version: string;

  constructor(library: OpenVinoLibrary) {
    this.#library = library;
    const { functions } = library;
    this.#core = made(library, (out) => functions.ov_core_create(out), `start OpenVINO of ${library.path}`);
    const version = new BigUint64Array(2);
    want(library, functions.ov_get_openvino_version(version), "read OpenVINO's version");
    // For example "2026.4.1-22982-e213a147257-releases/2026/4".
    this.version = textAt(version[0]).split("-")[0];
    functions.ov_version_free(version);
  }

  devices(): readonly string[] {
    const { functions } = this.#library;
    const list = new BigUint64Array(2);
    want(this.#library, functions.ov_core_get_available_devices(this.#core, list), "list OpenVINO's devices");
    const names = Deno.UnsafePointer.create(list[0]);
    const found = Array.from(
      { length: Number(list[1]) },
      (_, i) => names === null ? "" : textAt(new Deno.UnsafePointerView(names).getBigUint64(8 * i)),
    );
    functions.ov_available_devices_free(list);
    return found;
  }

  property(device: string, key: string): string {
    const { functions } = this.#library;
    const out = new BigUint64Array(1);
    const status = functions.ov_core_get_property(this.#core, text(device), text(key), out);
    want(this.#library, status, `read ${key} of OpenVINO's ${device}`);
    const value = textAt(out[0]);
    functions.ov_free(Deno.UnsafePointer.create(out[0]));
    return value;
  }

  async compile(network: Network, { device = "CPU", threads }: OpenVinoOptions): Promise<Session> {
    const library = this.#library;
    const { functions } = library;
    const model = this.#read(network);
    const properties = [
      ["INFERENCE_PRECISION_HINT", INFERENCE_PRECISION[network.hint ?? "fp32"]],
      ["PERFORMANCE_HINT", "LATENCY"],
      ...(threads === undefined || device !== "CPU" ? [] : [["INFERENCE_NUM_THREADS", String(threads)]]),
    ].flat();
    // The result's place, the properties' addresses, and all strings, the device's last.
    const strings = [...properties, device].map((value) => NativeMemory.of(text(value)));
    const call = new NativeMemory(8 * (1 + properties.length));
    const words = new BigUint64Array(call.bytes.buffer);
    words.set([0n, ...strings.slice(0, -1).map(({ address }) => address)]);
    try {
      const status = await functions.ov_core_compile_model_props(
        this.#core,
        model,
        strings[properties.length].address,
        BigInt(properties.length / 2),
        call.address + 8n,
        call.address,
      );
      want(library, status, `load the ${network.name} on OpenVINO's ${device}`);
      return new OpenVinoSession(network, library, wantPointer(words[0]));
    } finally {
      functions.ov_model_free(model);
      for (const memory of [call, ...strings]) memory.free();
    }
  }

  /**
   * Weights must lie in or below the folder that a network is read from, which for a network in memory is the process's
   * own. So it stands at the file system's root while the network is read; nothing else runs meanwhile.
   */
  #read({ name, bytes, root }: Network): Deno.PointerObject {
    const { functions } = this.#library;
    const before = Deno.cwd();
    const graph = Uint8Array.from(bytes);
    try {
      if (root !== "") Deno.chdir(root);
      return made(
        this.#library,
        (out) => functions.ov_core_read_model_from_memory_buffer(this.#core, graph, BigInt(graph.length), null, out),
        `read the ${name}`,
      );
    } finally {
      Deno.chdir(before);
    }
  }
}

class OpenVinoSession implements Session {
  readonly #network: Network;
  readonly #library: OpenVinoLibrary;
  #compiled: Deno.PointerObject | undefined;
  readonly #request: Deno.PointerObject;
  /** Runs wait for each other: a request holds one run's tensors. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(network: Network, library: OpenVinoLibrary, compiled: Deno.PointerObject) {
    this.#network = network;
    this.#library = library;
    this.#compiled = compiled;
    const create = (out: BigUint64Array<ArrayBuffer>) =>
      library.functions.ov_compiled_model_create_infer_request(compiled, out);
    this.#request = made(library, create, `run the ${network.name}`);
  }

  run(feeds: Feeds, { signal }: SessionRunOptions = {}): Promise<Outputs> {
    const result = this.#turn.then(() => this.#run(feeds, signal));
    this.#turn = result.catch(() => {}); // the caller gets the error; the next in line must not
    return result;
  }

  async #run(feeds: Feeds, signal: AbortSignal | undefined): Promise<Outputs> {
    const { name, outputs } = this.#network;
    if (this.#compiled === undefined) throw new Error(`Cannot run the ${name}: its session was released.`);
    signal?.throwIfAborted();
    const { functions } = this.#library;
    for (const [input, value] of Object.entries(feeds)) this.#give(input, value);
    const cancel = () => void functions.ov_infer_request_cancel(this.#request);
    signal?.addEventListener("abort", cancel);
    try {
      const status = await functions.ov_infer_request_infer(this.#request);
      signal?.throwIfAborted();
      want(this.#library, status, `run the ${name}`);
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
    return new Map(outputs.map((output) => [output.name, this.#take(output.name)]));
  }

  #give(input: string, { data, shape }: Tensor | Integers): void {
    const { functions } = this.#library;
    const dimensions = BigInt64Array.from(shape, BigInt);
    // { int64_t rank; int64_t* dims; }
    const byValue = new BigUint64Array([
      BigInt(shape.length),
      shape.length === 0 ? 0n : addressOf(dimensions),
    ]);
    const type = data instanceof Int32Array ? ELEMENT.int32 : ELEMENT.float32;
    const create = (out: BigUint64Array<ArrayBuffer>) =>
      functions.ov_tensor_create(type, new Uint8Array(byValue.buffer), out);
    const tensor = made(this.#library, create, `make the input ${input}`);
    try {
      this.#memoryOf(tensor, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      const status = functions.ov_infer_request_set_tensor(this.#request, text(input), tensor);
      want(this.#library, status, `give ${input} to the ${this.#network.name}`);
    } finally {
      functions.ov_tensor_free(tensor); // the request holds it on
    }
  }

  #take(output: string): Tensor {
    const { functions } = this.#library;
    const get = (out: BigUint64Array<ArrayBuffer>) =>
      functions.ov_infer_request_get_tensor(this.#request, text(output), out);
    const tensor = made(this.#library, get, `read ${output} of the ${this.#network.name}`);
    try {
      const shape = new BigUint64Array(2);
      want(this.#library, functions.ov_tensor_get_shape(tensor, shape), `read the shape of ${output}`);
      const rank = Number(shape[0]);
      const dimensions = Deno.UnsafePointer.create(shape[1]);
      const sizes = Array.from(
        { length: rank },
        (_, i) => dimensions === null ? 0 : Number(new Deno.UnsafePointerView(dimensions).getBigInt64(8 * i)),
      );
      functions.ov_shape_free(shape);
      const bytes = 4 * sizes.reduce((product, size) => product * size, 1);
      return new Tensor(new Float32Array(this.#memoryOf(tensor, bytes).slice().buffer), sizes);
    } finally {
      functions.ov_tensor_free(tensor);
    }
  }

  /** A tensor's own memory. It stands until the tensor is freed. */
  #memoryOf(tensor: Deno.PointerObject, bytes: number): Uint8Array<ArrayBuffer> {
    const { functions } = this.#library;
    const size = new BigUint64Array(1);
    want(this.#library, functions.ov_tensor_get_byte_size(tensor, size), "read a tensor's size");
    if (Number(size[0]) !== bytes) {
      throw new TypeError(
        `Cannot use a tensor of the ${this.#network.name}: it has ${size[0]} bytes, wanted are ${bytes}.`,
      );
    }
    if (bytes === 0) return new Uint8Array(0);
    const data = made(this.#library, (out) => functions.ov_tensor_data(tensor, out), "read a tensor");
    return viewAt(Deno.UnsafePointer.value(data), bytes);
  }

  async release(): Promise<void> {
    await this.#turn;
    if (this.#compiled === undefined) return;
    this.#library.functions.ov_infer_request_free(this.#request);
    this.#library.functions.ov_compiled_model_free(this.#compiled);
    this.#compiled = undefined;
    await trimHeap();
  }
}

/** An object that a call made, by its address. */
function made(
  library: OpenVinoLibrary,
  make: (out: BigUint64Array<ArrayBuffer>) => number,
  what: string,
): Deno.PointerObject {
  const out = new BigUint64Array(1);
  want(library, make(out), what);
  return wantPointer(out[0]);
}

function wantPointer(address: bigint): Deno.PointerObject {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new Error("Cannot use OpenVINO: it gave nothing where an object was wanted.");
  return pointer;
}
