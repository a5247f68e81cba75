/** ONNX Runtime's home: the only file that imports onnxruntime-node. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as ort from "onnxruntime-node";
import type { Network } from "../../graph/builder.ts";
import { cpu, cpuLean, cuda, cudaHalf, webgpu, webgpuHalf } from "../../graph/lowering.ts";
import { layersOf } from "../../graph/proto.ts";
import { type NetworkProfile, readTrace } from "../../measure/profile.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Refusals } from "../precision.ts";
import { loadInPieces, type PieceLimits } from "./pieces.ts";
import { PinnedSession } from "./pinned.ts";
import type { Feeds, Outputs, Runtime, Session, SessionRunOptions } from "./session.ts";

/** Settings of onnxruntime's session-options configuration, `session.…` keys nested as the binding wants them. */
interface SessionConfig {
  /** Where a graph given as bytes looks for its external data. */
  readonly model_external_initializers_file_folder_path: string;
  /** "1": weights stay as they are mapped from their file, without a copy in the order that products like best. */
  readonly disable_prepacking?: "1";
  /** "1": a graph that would run on the processor in part is refused. */
  readonly disable_cpu_ep_fallback?: "1";
}

class OnnxRuntimeSession implements Session {
  readonly #name: string;
  #session: ort.InferenceSession | undefined;

  constructor(name: string, session: ort.InferenceSession) {
    this.#name = name;
    this.#session = session;
  }

  async run(feeds: Feeds, { signal }: SessionRunOptions = {}): Promise<Outputs> {
    if (this.#session === undefined) throw new Error(`Cannot run the ${this.#name}: its session was released.`);
    signal?.throwIfAborted();
    const inputs: Record<string, ort.Tensor> = {};
    for (const [name, { data, shape }] of Object.entries(feeds)) {
      inputs[name] = data instanceof Int32Array
        ? new ort.Tensor("int32", data, shape)
        : new ort.Tensor("float32", data, shape);
    }
    const results = await this.#session.run(inputs);
    const outputs = new Map<string, Tensor>();
    for (const [name, { data, dims }] of Object.entries(results)) {
      if (!(data instanceof Float32Array) || !(data.buffer instanceof ArrayBuffer)) {
        throw new TypeError(`Cannot read output "${name}" of the ${this.#name}: wanted float32.`);
      }
      outputs.set(name, new Tensor(new Float32Array(data.buffer, data.byteOffset, data.length), dims));
    }
    return outputs;
  }

  async release(): Promise<void> {
    await this.#session?.release();
    this.#session = undefined;
  }
}

export interface OnnxRuntimeOptions {
  /** Threads inside an operator. Default: the runtime's own choice, one a core. */
  readonly threads?: number;
  /**
   * "fast" (default): weights are kept in float32 and rearranged for speed. "lean": they stay in their file, mapped,
   * what is freed goes back to the system, and a large network is run in pieces.
   */
  readonly memory?: "fast" | "lean";
  /** With "lean": from which size on a network is cut, and how small. */
  readonly pieces?: PieceLimits;
}

const version = ort.env.versions.node ?? "";

/** ONNX Runtime's CPU provider: fp32 compute on fp32, fp16 and integer weights. */
export function onnxRuntimeCpu(options: OnnxRuntimeOptions = {}): Runtime {
  const load = async (network: Network) => new OnnxRuntimeSession(network.name, await createCpu(network, options));
  const lean = options.memory === "lean";
  return {
    name: `ONNX Runtime ${version}, CPU`,
    lowering: lean ? cpuLean : cpu,
    refused: { bf16: "ONNX Runtime has no bfloat16 kernels for processors" },
    load: (network) => lean ? loadInPieces(network, load, options.pieces) : load(network),
    profiled: (rounds, report) => ({
      ...onnxRuntimeCpu(options),
      load: (network) => loadProfiled(network, { rounds, report, ...options }),
    }),
  };
}

/** What a GPU computes in by itself, without weights made for it beforehand. */
const GPU_REFUSES: Refusals = {
  bf16: "its kernels are written for float32 and float16",
  int8: "its kernels take no 8-bit matrices",
  int4: "the kit's 4-bit weights are made for the processor",
};

/**
 * ONNX Runtime's WebGPU provider, over Vulkan, Metal or Direct3D 12. Nothing falls back to the processor: a graph with an
 * operator that has no WebGPU kernel is refused.
 */
export function onnxRuntimeWebGpu(): Runtime {
  const load = async (network: Network) => {
    const settings = { executionProviders: ["webgpu"], config: { disable_cpu_ep_fallback: "1" } } as const;
    return new OnnxRuntimeSession(network.name, await create(network, settings));
  };
  return {
    name: `ONNX Runtime ${version}, WebGPU`,
    lowering: webgpu,
    reduced: { fp16: webgpuHalf },
    refused: GPU_REFUSES,
    load: (network) => Promise.resolve(new PinnedSession(network, load)),
  };
}

/**
 * ONNX Runtime's CUDA provider. Its library is not in the npm package: docs/devices.md says where it comes from.
 *
 * @throws RangeError where the library is missing
 */
export function onnxRuntimeCuda(): Runtime {
  wantCudaProvider();
  const load = async (network: Network) => {
    const settings = { executionProviders: ["cuda"], config: { disable_cpu_ep_fallback: "1" } } as const;
    return new OnnxRuntimeSession(network.name, await create(network, settings));
  };
  return {
    name: `ONNX Runtime ${version}, CUDA`,
    lowering: cuda,
    reduced: { fp16: cudaHalf },
    refused: GPU_REFUSES,
    load: (network) => Promise.resolve(new PinnedSession(network, load)),
  };
}

function wantCudaProvider(): void {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const { os } = Deno.build;
  if (os !== "linux" && os !== "windows") {
    throw new RangeError(`Cannot compute on cuda: NVIDIA's CUDA is for Linux and Windows, and this is ${os}.`);
  }
  const folder = join(root, "bin", "napi-v6", os === "windows" ? "win32" : os, arch);
  const name = os === "windows" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
  try {
    Deno.statSync(join(folder, name));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new RangeError(
      `Cannot compute on cuda: ONNX Runtime's provider ${name} is not in ${folder}. ` +
        `docs/devices.md says how to get that of version ${version}.`,
    );
  }
}

interface CreateOptions extends ort.InferenceSession.SessionOptions {
  readonly config?: Omit<SessionConfig, "model_external_initializers_file_folder_path">;
}

async function create(network: Network, { config, ...options }: CreateOptions): Promise<ort.InferenceSession> {
  const session: SessionConfig = { model_external_initializers_file_folder_path: network.root, ...config };
  try {
    return await ort.InferenceSession.create(network.bytes, {
      logSeverityLevel: 3, // errors only: warnings of graph optimisers mean nothing to a user
      extra: { session },
      ...options,
    });
  } catch (error) {
    throw new Error(`Cannot load the ${network.name}: ${error instanceof Error ? error.message : error}`);
  }
}

function createCpu(
  network: Network,
  { threads, memory }: OnnxRuntimeOptions,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<ort.InferenceSession> {
  const lean = memory === "lean";
  return create(network, {
    executionProviders: ["cpu"],
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(lean ? { enableMemPattern: false } : {}),
    ...(lean ? { config: { disable_prepacking: "1" } } : {}),
    ...options,
  });
}

/** Runs left out of a profile: the first packs weights and grows the arena. */
const WARM_UP = 1;

async function loadProfiled(
  network: Network,
  { rounds, report, ...options }: OnnxRuntimeOptions & {
    readonly rounds: number;
    readonly report: (profile: NetworkProfile) => void;
  },
): Promise<Session> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-profile-" });
  const session = await createCpu(network, options, {
    enableProfiling: true,
    profileFilePrefix: join(folder, "trace"),
  });
  const inner = new OnnxRuntimeSession(network.name, session);
  return {
    async run(feeds) {
      for (let i = 1; i < WARM_UP + rounds; i++) await inner.run(feeds);
      return await inner.run(feeds);
    },
    async release() {
      session.endProfiling();
      await inner.release();
      const [trace] = [...Deno.readDirSync(folder)];
      const json = await Deno.readTextFile(join(folder, trace.name));
      await Deno.remove(folder, { recursive: true });
      report(readTrace(json, { part: network.name, warmUp: WARM_UP, layers: layersOf(network.bytes) }));
    },
  };
}
