/**
 * Arithmetic on weights as they lie in files, by ONNX Runtime's CPU provider, whatever a model itself runs on: half
 * floats to float32 and back, and a low-rank product added on the way.
 *
 * Halves go in and out as whole numbers of 16 bits, and are taken for floats inside of the graph (BitCast, which opset
 * 26 brought). JavaScript's own conversion is several times as slow.
 */

import { CAST, modelBytes, node, type Port } from "../../graph/proto.ts";
import { type Numbers, type OrtModel, OrtSession } from "./onnxruntime_session.ts";

/** How numbers lie in memory. */
export type Stored = "fp32" | "fp16" | "bf16";

/** A matrix `[rows, columns]`, or rows of one, as bytes. They begin at a multiple of the number's size. */
export interface StoredRows {
  readonly dtype: Stored;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** up·down, to be added: `[rows, rank]` and `[rank, columns]`, every factor in them. */
export interface LowRank {
  readonly up: Float32Array<ArrayBuffer>;
  readonly down: Float32Array<ArrayBuffer>;
  readonly rank: number;
}

const BIT_CAST_OPSET = 26n;
const HALF = { fp16: CAST.float16, bf16: CAST.bfloat16 } as const;

/** Of more processors than that, a disk has nothing to do for the rest. */
const MOST_LANES = 8;

/**
 * One graph for each way in, way out, and with or without a product; each is made when it is first wanted. Runs go on at
 * once, each on one thread: threads that share a run would wait for each other three times in it.
 */
export class WeightArithmetic {
  /** How many runs at once keep the processors busy. */
  readonly lanes = Math.min(navigator.hardwareConcurrency, MOST_LANES);
  readonly #all: OrtSession[] = [];
  readonly #idle = new Map<string, OrtSession[]>();

  /**
   * `to` becomes `from`, plus the product, rounded once to nearest. A value too large for halves becomes infinite.
   *
   * @param columns of the matrix; `from` and `to` hold as many whole rows of it
   */
  async run(from: StoredRows, to: StoredRows, columns: number, product?: LowRank): Promise<void> {
    const shape = [valuesIn(to) / columns, columns];
    const factors = product && {
      up: { data: product.up, shape: [shape[0], product.rank] },
      down: { data: product.down, shape: [product.rank, columns] },
    };
    const key = `${from.dtype} ${to.dtype} ${product !== undefined}`;
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    const session = idle.pop() ?? await this.#load(from.dtype, to.dtype, product !== undefined);
    try {
      await session.run({ weight: numbers(from, shape), ...factors }, { into: { result: numbers(to, shape) } });
    } finally {
      idle.push(session);
    }
  }

  /** Gives the memory back. No run may be under way. */
  async release(): Promise<void> {
    for (const session of this.#all.splice(0)) await session.release();
    this.#idle.clear();
  }

  async #load(from: Stored, to: Stored, product: boolean): Promise<OrtSession> {
    const session = await OrtSession.load(graph(from, to, product), { threads: 1 });
    this.#all.push(session);
    return session;
  }
}

function valuesIn({ dtype, bytes }: StoredRows): number {
  return bytes.length / (dtype === "fp32" ? 4 : 2);
}

function numbers({ dtype, bytes: { buffer, byteOffset, length } }: StoredRows, shape: readonly number[]): Numbers {
  const data = dtype === "fp32"
    ? new Float32Array(buffer, byteOffset, length / 4)
    : new Uint16Array(buffer, byteOffset, length / 2);
  return { data, shape };
}

function graph(from: Stored, to: Stored, product: boolean): OrtModel {
  const nodes: ReturnType<typeof node>[] = [];
  const op = (opType: string, inputs: readonly string[], to?: number): string => {
    const name = `${opType} ${nodes.length}`;
    nodes.push(node({ name, opType, inputs, outputs: [name], attributes: to === undefined ? {} : { to } }));
    return name;
  };
  const port = (name: string, dtype: Stored, shape: Port["shape"]): Port => {
    return { name, dtype: dtype === "fp32" ? "float32" : "uint16", shape };
  };
  let value = "weight";
  if (from !== "fp32") value = op("Cast", [op("BitCast", [value], HALF[from])], CAST.float32);
  if (product) value = op("Gemm", ["up", "down", value]);
  if (to !== "fp32") value = op("BitCast", [op("Cast", [value], HALF[to])], CAST.uint16);
  nodes.push(node({ name: "result", opType: "Identity", inputs: [value], outputs: ["result"] }));
  const factors = [port("up", "fp32", ["rows", "rank"]), port("down", "fp32", ["rank", "columns"])];
  const [name, outputs] = ["weight arithmetic", [port("result", to, ["rows", "columns"])]];
  const inputs = [port("weight", from, ["rows", "columns"]), ...product ? factors : []];
  const bytes = modelBytes({ name, nodes, initializers: [], inputs, outputs, opset: BIT_CAST_OPSET });
  return { name, bytes, outputs };
}
