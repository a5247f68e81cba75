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

/** One graph for each way in, way out, and with or without a product; each is made when it is first wanted. */
export class WeightArithmetic {
  readonly #sessions = new Map<string, Promise<OrtSession>>();

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
    const session = await this.#session(from.dtype, to.dtype, product !== undefined);
    await session.run({ weight: numbers(from, shape), ...factors }, { into: { result: numbers(to, shape) } });
  }

  /** Gives the memory back. */
  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).release();
    this.#sessions.clear();
  }

  #session(from: Stored, to: Stored, product: boolean): Promise<OrtSession> {
    const key = `${from} ${to} ${product}`;
    // Threads that spin between two runs take the processor from those that read and write: half of all its time.
    const config = { "session.intra_op.allow_spinning": "0" };
    const session = this.#sessions.get(key) ?? OrtSession.load(graph(from, to, product), { config });
    this.#sessions.set(key, session);
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
