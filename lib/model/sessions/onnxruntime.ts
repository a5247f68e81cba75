/** ONNX Runtime's home: its providers as runtimes. */

import { join } from "node:path";
import type { Network } from "../../graph/builder.ts";
import { layersOf } from "../../graph/proto.ts";
import { type NetworkProfile, readTrace } from "../../measure/profile.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { LeanSession } from "./lean.ts";
import { loadNvidiaBeside } from "./libraries.ts";
import { LIBRARY_VARIABLE, onnxRuntimeLibrary } from "./onnxruntime_library.ts";
import { OrtSession, type OrtSessionOptions } from "./onnxruntime_session.ts";
import { withCuda } from "./onnxruntime_settings.ts";
import { PinnedSession } from "./pinned.ts";
import type { Feeds, Outputs, Runtime, Session, SessionRunOptions } from "./session.ts";
import { ways } from "./ways.ts";

/** A session as the rest of the kit knows it: tensors go in and come out. */
class OnnxRuntimeSession implements Session {
  readonly #session: OrtSession | LeanSession;

  constructor(session: OrtSession | LeanSession) {
    this.#session = session;
  }

  async run(feeds: Feeds, { signal }: SessionRunOptions = {}): Promise<Outputs> {
    const results = await this.#session.run(feeds, { signal });
    return new Map([...results].map(([name, { data, shape }]) => [name, new Tensor(data, shape)]));
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

export interface OnnxRuntimeOptions {
  /** Threads inside an operator. Default: the runtime's own choice, one a core. */
  readonly threads?: number;
  /**
   * "fast" (default): weights are kept in float32 and rearranged for speed. "lean": they stay in their file, mapped,
   * and what has been read of it goes back to the system while the network runs.
   */
  readonly memory?: "fast" | "lean";
}

/** ONNX Runtime's CPU provider: fp32 compute on fp32, fp16 and integer weights. */
export function onnxRuntimeCpu(options: OnnxRuntimeOptions = {}): Runtime {
  const load = async (network: Network, { signal }: SessionRunOptions = {}) =>
    new OnnxRuntimeSession(await loadCpu(network, options, {}, signal));
  return {
    name: `ONNX Runtime ${onnxRuntimeLibrary().version}, CPU`,
    ...options.memory === "lean" ? ways.cpuLean : ways.cpu,
    load,
    profiled: (rounds, report) => ({
      ...onnxRuntimeCpu(options),
      load: (network) => loadProfiled(network, { rounds, report, ...options }),
    }),
  };
}

/**
 * ONNX Runtime's WebGPU provider, over Vulkan, Metal or Direct3D 12. Nothing falls back to the processor: a graph with an
 * operator that has no WebGPU kernel is refused.
 */
export function onnxRuntimeWebGpu(): Runtime {
  return {
    name: `ONNX Runtime ${onnxRuntimeLibrary().version}, WebGPU`,
    ...ways.webgpu,
    load: pinnedOn(() => ({ provider: { name: "WebGPU", options: {} } })),
  };
}

/**
 * ONNX Runtime's CUDA provider. Its library is not in the npm package: docs/devices.md says where it comes from.
 *
 * @throws RangeError where the library is missing, or one of NVIDIA's that it needs
 */
export function onnxRuntimeCuda(): Runtime {
  wantCudaProvider();
  return {
    name: `ONNX Runtime ${onnxRuntimeLibrary().version}, CUDA`,
    ...ways.cuda,
    load: pinnedOn(({ hint }) => ({ provider: { name: "CUDA", options: cudaOptions(hint) }, oneThread: true })),
  };
}

/**
 * https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#configuration-options
 *
 * - The arena grows by what is asked for: by default to the next power of two, which for gigabytes of weights is up to
 *   twice of what they take.
 * - Float32 is float32: by default products are rounded to TensorFloat-32's 10 bits of mantissa. In half floats that is
 *   no loss, and its refusal would shut the tensor cores out of convolutions altogether: a step then took 2.6 times as
 *   long (137 and 52 ms, SDXL's U-Net at 1024×1024 with guidance on an H100).
 * - In half floats convolutions have their channels last, which is what tensor cores take: 2 ms of those 52.
 */
function cudaOptions(hint?: Network["hint"]): Readonly<Record<string, string>> {
  const half = hint === "fp16" ? "1" : "0";
  return { arena_extend_strategy: "kSameAsRequested", use_tf32: half, prefer_nhwc: half };
}

/** Loads networks for a GPU, once for each size: what depends on sizes alone would fall to the processor otherwise. */
function pinnedOn(optionsOf: (network: Network) => OrtSessionOptions): Runtime["load"] {
  const load = async (network: Network, { signal }: SessionRunOptions = {}) => {
    const config = { ...weightsOf(network), "session.disable_cpu_ep_fallback": "1" };
    return new OnnxRuntimeSession(await OrtSession.load(network, { ...optionsOf(network), config }, signal));
  };
  return (network) => Promise.resolve(new PinnedSession(network, load));
}

function wantCudaProvider(): void {
  const { os } = Deno.build;
  if (os !== "linux" && os !== "windows") {
    throw new RangeError(`Cannot compute on cuda: NVIDIA's CUDA is for Linux and Windows, and this is ${os}.`);
  }
  const library = onnxRuntimeLibrary();
  const { folder, version } = library;
  const name = os === "windows" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
  try {
    Deno.statSync(join(folder, name));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new RangeError(
      `Cannot compute on cuda: ONNX Runtime's provider ${name} is not in ${folder}. Wanted is ${LIBRARY_VARIABLE} naming ` +
        `the folder onnxruntime/capi of pip's onnxruntime-gpu ${version}: docs/devices.md says how to get it.`,
    );
  }
  loadNvidiaBeside(folder);
  try {
    withCuda(library, cudaOptions(), "compute on cuda", () => {});
  } catch (error) {
    throw error instanceof Error ? new RangeError(error.message) : error;
  }
}

/** Where a graph given as bytes looks for its weights. */
function weightsOf({ root }: Network): Readonly<Record<string, string>> {
  return { "session.model_external_initializers_file_folder_path": root };
}

function loadCpu(
  network: Network,
  { threads, memory }: OnnxRuntimeOptions,
  options: OrtSessionOptions = {},
  signal?: AbortSignal,
): Promise<OrtSession | LeanSession> {
  const config = weightsOf(network);
  if (memory !== "lean") return OrtSession.load(network, { threads, config, ...options }, signal);
  // Weights then stay as they are mapped from their file, without a copy in the order that products like best.
  const lean = { ...config, "session.disable_prepacking": "1" };
  return LeanSession.load(network, { threads, config: lean, ...options }, signal);
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
  const session = await loadCpu(network, options, { trace: join(folder, "trace") });
  const inner = new OnnxRuntimeSession(session);
  return {
    async run(feeds, options) {
      for (let i = 1; i < WARM_UP + rounds; i++) await inner.run(feeds, options);
      return await inner.run(feeds, options);
    },
    async release() {
      const json = await Deno.readTextFile(await session.endTrace());
      await inner.release();
      await Deno.remove(folder, { recursive: true });
      report(readTrace(json, { part: network.name, warmUp: WARM_UP, layers: layersOf(network.bytes) }));
    },
  };
}
