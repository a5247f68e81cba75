/**
 * Arithmetic on weights as they lie in files, by ONNX Runtime's CPU provider, whatever a model itself runs on: half
 * floats to float32 and back, and low-rank products added on the way. JavaScript's own conversion is several times as
 * slow.
 */

import { CAST, modelBytes, node, type Port } from "../../graph/proto.ts";
import { MemoryPool, type Placed } from "./foreign.ts";
import { type OrtModel, OrtSession } from "./onnxruntime_session.ts";
import { ELEMENT, type PlacedTensor } from "./onnxruntime_values.ts";

/** How numbers lie in memory. */
export type Stored = "fp32" | "fp16" | "bf16";

/** A matrix `[rows, columns]`, or rows of one, outside of JavaScript's memory. */
export interface StoredRows extends Placed {
  readonly dtype: Stored;
}

/** factor·up·down, to be added: up `[rows, rank]` and down `[rank, columns]`. */
export interface LowRank {
  readonly up: StoredRows;
  readonly down: StoredRows;
  readonly rank: number;
  readonly factor: number;
}

const DTYPE = { fp32: "float32", fp16: "float16", bf16: "bfloat16" } as const;

/** Of more processors than that, a disk has nothing to do for the rest. */
const MOST_LANES = 8;

/**
 * One graph for each way in, way out and kind of products; each is made when it is first wanted. Runs go on at once,
 * each on one thread: threads that share a run would wait for each other three times in it.
 */
export class WeightArithmetic {
  /** How many runs at once keep the processors busy. More than that wait for their turn. */
  readonly lanes = Math.min(navigator.hardwareConcurrency, MOST_LANES);
  /** Memory for what runs read and write. It stands until the release. */
  readonly pool = new MemoryPool();
  readonly #all: OrtSession[] = [];
  readonly #idle = new Map<string, OrtSession[]>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * `to` becomes `from`, plus the products, rounded once to nearest. A value too large for halves becomes infinite.
   *
   * @param columns of the matrix; `from` and `to` hold as many whole rows of it
   */
  async run(from: StoredRows, to: StoredRows, columns: number, products: readonly LowRank[] = []): Promise<void> {
    if (this.#running === this.lanes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      await this.#run(from, to, columns, products);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  async #run(from: StoredRows, to: StoredRows, columns: number, products: readonly LowRank[]): Promise<void> {
    const rows = valuesIn(to) / columns;
    const feeds = products.map(({ up, down, rank, factor }, i) => ({
      [`up ${i}`]: tensor(up, [rows, rank]),
      [`down ${i}`]: tensor(down, [rank, columns]),
      [`factor ${i}`]: { data: Float32Array.of(factor), shape: [] },
    }));
    const factors = products.map(({ up, down }): Factors => [up.dtype, down.dtype]);
    const key = [from.dtype, to.dtype, ...factors.flat()].join(" ");
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    const session = idle.pop() ?? await this.#load(from.dtype, to.dtype, factors);
    try {
      const weight = tensor(from, [rows, columns]);
      await session.run(Object.assign({ weight }, ...feeds), { into: { result: tensor(to, [rows, columns]) } });
    } finally {
      idle.push(session);
    }
  }

  /** Gives the memory back, the pool's too. No run may be under way. */
  async release(): Promise<void> {
    this.pool[Symbol.dispose]();
    for (const session of this.#all.splice(0)) await session.release();
    this.#idle.clear();
  }

  async #load(from: Stored, to: Stored, factors: readonly Factors[]): Promise<OrtSession> {
    const session = await OrtSession.load(graph(from, to, factors), { threads: 1 });
    this.#all.push(session);
    return session;
  }
}

/** How a product's two matrices lie in memory. */
type Factors = readonly [up: Stored, down: Stored];

function valuesIn({ dtype, bytes }: StoredRows): number {
  return bytes.length / bytesOf(dtype);
}

/** Of one number. */
export function bytesOf(dtype: Stored): number {
  return dtype === "fp32" ? 4 : 2;
}

function tensor({ dtype, address, bytes }: StoredRows, shape: readonly number[]): PlacedTensor {
  return { type: ELEMENT[DTYPE[dtype]], shape, address, byteLength: bytes.length };
}

function graph(from: Stored, to: Stored, factors: readonly Factors[]): OrtModel {
  const nodes: ReturnType<typeof node>[] = [];
  const op = (opType: string, inputs: readonly string[], output: string, attributes = {}): string => {
    nodes.push(node({ name: output, opType, inputs, outputs: [output], attributes }));
    return output;
  };
  const wide = (name: string, dtype: Stored): string =>
    dtype === "fp32" ? name : op("Cast", [name], `wide ${name}`, { to: CAST.float32 });
  const port = (name: string, dtype: Stored, shape: Port["shape"]): Port => ({ name, dtype: DTYPE[dtype], shape });

  const inputs = [port("weight", from, ["rows", "columns"])];
  let value = wide("weight", from);
  for (const [i, [up, down]] of factors.entries()) {
    inputs.push(
      port(`up ${i}`, up, ["rows", `rank ${i}`]),
      port(`down ${i}`, down, [`rank ${i}`, "columns"]),
      port(`factor ${i}`, "fp32", []),
    );
    const scaled = op("Mul", [wide(`down ${i}`, down), `factor ${i}`], `scaled ${i}`);
    value = op("Gemm", [wide(`up ${i}`, up), scaled, value], `sum ${i}`);
  }
  if (to === "fp32") op("Identity", [value], "result");
  else op("Cast", [value], "result", { to: CAST[DTYPE[to]] });
  const [name, outputs] = ["weight arithmetic", [port("result", to, ["rows", "columns"])]];
  return { name, bytes: modelBytes({ name, nodes, initializers: [], inputs, outputs }), outputs };
}
