/** ONNX Runtime's home: the only file that imports onnxruntime-node. */

import { join } from "node:path";
import * as ort from "onnxruntime-node";
import type { Network } from "../../graph/builder.ts";
import { layersOf } from "../../graph/proto.ts";
import { cpu, cpuLean } from "../../graph/lowering.ts";
import { type NetworkProfile, readTrace } from "../../measure/profile.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Feeds, Runtime, Session } from "./session.ts";

/** Settings of onnxruntime's session-options configuration, `session.…` keys nested as the binding wants them. */
interface SessionConfig {
  /** Where a graph given as bytes looks for its external data. */
  readonly model_external_initializers_file_folder_path: string;
  /** "1": weights stay as they are mapped from their file, without a copy in the order that products like best. */
  readonly disable_prepacking?: "1";
}

export class OnnxRuntimeSession implements Session {
  readonly #name: string;
  #session: ort.InferenceSession | undefined;

  constructor(name: string, session: ort.InferenceSession) {
    this.#name = name;
    this.#session = session;
  }

  async run(feeds: Feeds): Promise<ReadonlyMap<string, Tensor>> {
    if (this.#session === undefined) throw new Error(`Cannot run the ${this.#name}: its session was released.`);
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
   * "fast" (default): weights are kept in float32 and rearranged for speed. "lean": they stay in their file, mapped, and
   * what is freed goes back to the system.
   */
  readonly memory?: "fast" | "lean";
}

/** ONNX Runtime's CPU provider: fp32 compute on fp32 and fp16 files. */
export function onnxRuntimeCpu(options: OnnxRuntimeOptions = {}): Runtime {
  return {
    name: `ONNX Runtime ${ort.env.versions.node ?? ""}, CPU`,
    lowering: options.memory === "lean" ? cpuLean : cpu,
    load: async (network) => new OnnxRuntimeSession(network.name, await create(network, options)),
    profiled: (rounds, report) => ({
      ...onnxRuntimeCpu(options),
      load: (network) => loadProfiled(network, { rounds, report, ...options }),
    }),
  };
}

async function create(
  network: Network,
  { threads, memory }: OnnxRuntimeOptions,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<ort.InferenceSession> {
  const lean = memory === "lean";
  const session: SessionConfig = {
    model_external_initializers_file_folder_path: network.root,
    ...(lean ? { disable_prepacking: "1" } : {}),
  };
  try {
    return await ort.InferenceSession.create(network.bytes, {
      executionProviders: ["cpu"],
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      ...(lean ? { enableMemPattern: false } : {}),
      logSeverityLevel: 3, // errors only: warnings of graph optimisers mean nothing to a user
      extra: { session },
      ...options,
    });
  } catch (error) {
    throw new Error(`Cannot load the ${network.name}: ${error instanceof Error ? error.message : error}`);
  }
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
  const session = await create(network, options, { enableProfiling: true, profileFilePrefix: join(folder, "trace") });
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
