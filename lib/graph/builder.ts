/**
 * A small, typed builder of ONNX graphs.
 *
 * A `Scope` is a place in the network. Its path is the weight's key in the checkpoint
 * (`down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight`) and the name of its nodes
 * (`down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q/FusedMatMul`), so nothing is named twice and an
 * error or a profile says which layer it means.
 *
 * Weights are ONNX *external data*: the graph says in which file and at which byte they lie, and the runtime maps
 * them from the published .safetensors. No tensor byte passes through JavaScript.
 *
 * Source: the ONNX specification, https://onnx.ai/onnx/repo-docs/IR.html and ExternalData.html.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { parse, relative, sep } from "node:path";
import type { Shape } from "../tensor/tensor.ts";
import { type DType, shapeOf, type WeightRef, type WeightSource } from "../weights/weights.ts";
import type { LoraModule } from "../weights/lora.ts";
import type { Lowering } from "./lowering.ts";
import {
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./onnx/onnx_pb.ts";

/** IR 10 came with opset 21, the first whose GroupNormalization is per channel; opset 20 has Gelu. */
const IR_VERSION = 10n;
const OPSET = 21n;

/** ONNX Runtime's own operators: FusedMatMul, MultiHeadAttention, QuickGelu, … */
export const MICROSOFT = "com.microsoft";

/** An edge of the graph. `channels` is the size of the axis that layers mix: 1 in pictures, the last in tokens. */
export interface Value {
  readonly name: string;
  readonly channels: number;
}

/** A dimension of an input or output: a number, or the name of one that is known only at run time. */
export type Dimension = number | string;

export interface Port {
  readonly name: string;
  readonly dtype: "float32" | "int32";
  readonly shape: readonly Dimension[];
}

/** A network ready for a runtime. */
export interface Network {
  readonly name: string;
  /** A serialised ONNX ModelProto. */
  readonly bytes: Uint8Array;
  /** The folder that the external data's locations are relative to. */
  readonly root: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** ONNX tells integers from floats by type, JavaScript does not: floats are written `float(1e-5)`. */
export interface Float {
  readonly float: number;
}

export function float(value: number): Float {
  return { float: value };
}

export type Attributes = Readonly<Record<string, number | string | readonly number[] | Float>>;

const ONNX_TYPE: Readonly<Record<DType, DataType>> = {
  F64: DataType.DOUBLE,
  F32: DataType.FLOAT,
  F16: DataType.FLOAT16,
  BF16: DataType.BFLOAT16,
  I64: DataType.INT64,
  I32: DataType.INT32,
  I16: DataType.INT16,
  I8: DataType.INT8,
  U8: DataType.UINT8,
  BOOL: DataType.BOOL,
};

const PORT_TYPE = { float32: DataType.FLOAT, int32: DataType.INT32 } as const;

/** A LoRA as a low-rank path beside the weights: its strength is an input of the network. */
export interface Adapter {
  /** Name of the scalar input. */
  readonly strength: string;
  /** By the key of the weight that each changes. */
  readonly modules: ReadonlyMap<string, LoraModule>;
}

export interface GraphOptions {
  /** What the network is, for errors: "unet", "vae decoder", … */
  readonly name: string;
  readonly weights: WeightSource;
  /** How a provider wants the layers written. */
  readonly lowering: Lowering;
  /** Default none, which leaves the graph as it is without. */
  readonly adapters?: readonly Adapter[];
}

/** What every network's builder takes beside architecture and weights. */
export type BuildOptions = Pick<GraphOptions, "lowering" | "adapters">;

export class Graph {
  readonly name: string;
  readonly weights: WeightSource;
  readonly lowering: Lowering;
  readonly adapters: readonly Adapter[];
  readonly #nodes: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #names = new Set<string>();
  #root: string | undefined;

  constructor({ name, weights, lowering, adapters = [] }: GraphOptions) {
    this.name = name;
    this.weights = weights;
    this.lowering = lowering;
    this.adapters = adapters;
    for (const { strength } of adapters) this.input(strength, "float32", []);
  }

  /** The scope whose path is a prefix of the checkpoint's keys; the empty one is the network itself. */
  at(path = ""): Scope {
    return new Scope(this, path);
  }

  input(name: string, dtype: Port["dtype"], shape: readonly Dimension[], channels = 0): Value {
    this.#inputs.push({ name, dtype, shape });
    this.#names.add(name);
    return { name, channels };
  }

  /** Declares a value an output of the network, under its own name. */
  output(name: string, value: Value, shape: readonly Dimension[]): void {
    this.#nodes.push(create(NodeProtoSchema, { opType: "Identity", name, input: [value.name], output: [name] }));
    this.#outputs.push({ name, dtype: "float32", shape });
  }

  /** Adds a node and returns the names of its outputs. */
  node(
    path: string,
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    { domain = "", outputs = 1 }: { readonly domain?: string; readonly outputs?: number },
  ): readonly string[] {
    const name = this.#unique(`${path}/${opType}`);
    const output = outputs === 1 ? [name] : Array.from({ length: outputs }, (_, i) => `${name}.${i}`);
    this.#nodes.push(
      create(NodeProtoSchema, {
        name,
        opType,
        domain,
        input: [...inputs],
        output: [...output],
        attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
      }),
    );
    return output;
  }

  /** A tensor of the checkpoint, as it lies in its file. Named by its key. */
  external(ref: WeightRef): string {
    this.#root ??= parse(ref.file).root;
    if (!this.#initializers.has(ref.key)) {
      const location = relative(this.#root, ref.file).split(sep).join("/");
      this.#initializers.set(
        ref.key,
        create(TensorProtoSchema, {
          name: ref.key,
          dims: ref.shape.map(BigInt),
          dataType: ONNX_TYPE[ref.dtype],
          dataLocation: DataLocation.EXTERNAL,
          externalData: [
            { key: "location", value: location },
            { key: "offset", value: String(ref.offset) },
            { key: "length", value: String(ref.byteLength) },
          ],
        }),
      );
    }
    return ref.key;
  }

  /** An operator on a weight alone, which runtimes carry out at load: it costs no time in a step. */
  fold(weight: string, opType: string, attributes: Attributes): string {
    const name = `${weight}/${opType}`;
    return this.#names.has(name) ? name : this.node(weight, opType, [weight], attributes, {})[0];
  }

  /** An input times a constant, computed once however many layers want it. */
  scaled(input: string, factor: number): string {
    const name = `${input}·${factor}/Mul`;
    if (this.#names.has(name)) return name;
    return this.node(`${input}·${factor}`, "Mul", [input, this.constant("float32", [factor], [])], {}, {})[0];
  }

  /** A constant of the graph itself. Equal constants are stored once. */
  constant(kind: "float32" | "int64" | "int32", values: readonly number[], shape: Shape): string {
    const name = `${kind}[${shape}](${values})`;
    if (!this.#initializers.has(name)) {
      const dims = shape.map(BigInt);
      this.#initializers.set(
        name,
        kind === "float32"
          ? create(TensorProtoSchema, { name, dims, dataType: DataType.FLOAT, floatData: [...values] })
          : kind === "int32"
          ? create(TensorProtoSchema, { name, dims, dataType: DataType.INT32, int32Data: [...values] })
          : create(TensorProtoSchema, { name, dims, dataType: DataType.INT64, int64Data: values.map(BigInt) }),
      );
    }
    return name;
  }

  /** The finished network, as bytes that hold no weights. */
  finish(): Network {
    const graph: GraphProto = create(GraphProtoSchema, {
      name: this.name,
      node: this.#nodes,
      initializer: [...this.#initializers.values()],
      input: this.#inputs.map(valueInfo),
      output: this.#outputs.map(valueInfo),
    });
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: "fewstep",
      opsetImport: [{ domain: "", version: OPSET }, { domain: MICROSOFT, version: 1n }],
      graph,
    });
    return {
      name: this.name,
      bytes: toBinary(ModelProtoSchema, model),
      root: this.#root ?? "",
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  #unique(name: string): string {
    let unique = name;
    for (let n = 2; this.#names.has(unique); n++) unique = `${name}.${n}`;
    this.#names.add(unique);
    return unique;
  }
}

export class Scope {
  constructor(readonly graph: Graph, readonly path: string) {}

  /** A scope below this one: `at("attn1").at("to_q")` is `….attn1.to_q`. */
  at(name: string | number): Scope {
    return new Scope(this.graph, this.path === "" ? String(name) : `${this.path}.${name}`);
  }

  get lowering(): Lowering {
    return this.graph.lowering;
  }

  has(name: string): boolean {
    return this.graph.weights.has(this.at(name).path);
  }

  /** Where a tensor of this scope lies in the checkpoint, checked against the shape that the config implies. */
  find(name: string, shape: Shape): WeightRef {
    return this.graph.weights.get(this.at(name).path, shape);
  }

  /** A tensor of this scope in float32: half floats are widened by the graph. */
  weight(name: string, shape: Shape): Value {
    return this.float32(this.find(name, shape));
  }

  /** A stored tensor in float32, the right way round. Runtimes fold both conversions at load. */
  float32(ref: WeightRef): Value {
    let name = this.graph.external(ref);
    if (ref.dtype !== "F32") name = this.graph.fold(name, "Cast", { to: DataType.FLOAT });
    if (ref.transposed) name = this.graph.fold(name, "Transpose", { perm: [1, 0] });
    return { name, channels: shapeOf(ref)[0] };
  }

  /** The low-rank paths beside this scope's weight, and the strength of each, times alpha/rank. */
  get adapters(): readonly { readonly module: LoraModule; readonly strength: Value; readonly scope: Scope }[] {
    const key = this.at("weight").path;
    return this.graph.adapters.flatMap(({ strength, modules }) => {
      const module = modules.get(key);
      if (module === undefined) return [];
      const scope = this.at(strength);
      const scaled = module.scale === 1 ? strength : this.graph.scaled(strength, module.scale);
      return [{ module, strength: { name: scaled, channels: 1 }, scope }];
    });
  }

  /** A value of any number type, converted. */
  cast(x: Value, to: "float32" | "int64"): Value {
    return this.op("Cast", [x], x.channels, { to: to === "float32" ? DataType.FLOAT : DataType.INT64 });
  }

  /** One ONNX operator with one output. */
  op(
    opType: string,
    inputs: readonly (Value | string | undefined)[],
    channels: number,
    attributes: Attributes = {},
    domain = "",
  ): Value {
    const names = inputs.map((input) => typeof input === "string" ? input : input?.name ?? "");
    const [name] = this.graph.node(this.path, opType, names, attributes, { domain });
    return { name, channels };
  }

  ints(...values: number[]): string {
    return this.graph.constant("int64", values, [values.length]);
  }

  scalar(value: number): string {
    return this.graph.constant("float32", [value], []);
  }

  add(a: Value, b: Value): Value {
    return this.op("Add", [a, b], a.channels);
  }

  mul(a: Value, b: Value | string): Value {
    return this.op("Mul", [a, b], a.channels);
  }

  /** Joins values along an axis; `channels` are added up, as that axis is always the one that layers mix. */
  concat(values: readonly Value[], axis: number): Value {
    return this.op("Concat", values, values.reduce((sum, { channels }) => sum + channels, 0), { axis });
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.op("Transpose", [x], x.channels, { perm });
  }

  /** Zero keeps a dimension as it is, −1 takes what is left. */
  reshape(x: Value, shape: readonly number[], channels = x.channels): Value {
    return this.op("Reshape", [x, this.ints(...shape)], channels);
  }
}

function attribute(name: string, value: Attributes[string]) {
  if (typeof value === "number") return { name, type: AttributeType.INT, i: BigInt(value) };
  if (typeof value === "string") return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeType.INTS, ints: value.map(BigInt) };
}

function valueInfo({ name, dtype, shape }: Port): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: PORT_TYPE[dtype],
          shape: { dim: shape.map((dimension) => ({ value: dimensionValue(dimension) })) },
        },
      },
    },
  });
}

function dimensionValue(dimension: Dimension) {
  return typeof dimension === "number"
    ? { case: "dimValue" as const, value: BigInt(dimension) }
    : { case: "dimParam" as const, value: dimension };
}
