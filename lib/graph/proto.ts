/**
 * ONNX messages, from what the builder knows: the only file that touches the protobuf classes.
 *
 * Source: the ONNX specification, https://onnx.ai/onnx/repo-docs/IR.html and ExternalData.html.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { join, relative, sep } from "node:path";
import type { Shape } from "../tensor/tensor.ts";
import type { DType, WeightRef } from "../weights/weights.ts";
import type { Observable } from "./observable.ts";
import {
  AttributeProto_AttributeType as AttributeType,
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

/** A dimension of an input or output: a number, or the name of one that is known only at run time. */
export type Dimension = number | string;

export interface Port {
  readonly name: string;
  readonly dtype: "float32" | "int32" | "float16" | "bfloat16";
  /** Missing where a value was made an output afterwards: it may have any rank. */
  readonly shape?: readonly Dimension[];
}

/** An edge of the graph. `channels` is the size of the axis that layers mix: 1 in pictures, the last in tokens. */
export interface Value {
  readonly name: string;
  readonly channels: number;
}

/** The number type that layers compute in. */
export type Compute = "float32" | "float16";

/** What a runtime that converts by itself is to compute in. */
export type Hint = "bf16" | "fp16";

/** A network ready for a runtime. */
export interface Network {
  readonly name: string;
  /** A serialised ONNX ModelProto. */
  readonly bytes: Uint8Array;
  /** What the runtime is to compute in. Default: what the graph says. */
  readonly hint?: Hint;
  /** The folder that the external data's locations are relative to. */
  readonly root: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Layers that `observe` may name. */
  readonly observable: readonly Observable[];
  /** The same network written for inputs of these shapes alone, where that makes a difference. */
  readonly sized?: (shapes: ReadonlyMap<string, Shape>) => Network;
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

const PORT_TYPE = {
  float32: DataType.FLOAT,
  int32: DataType.INT32,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
} as const;

/** Number types by the number that ONNX gives them, for `Cast`. */
export const CAST = {
  float32: DataType.FLOAT,
  int64: DataType.INT64,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
} as const;

export interface NodeOptions {
  readonly name: string;
  readonly opType: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Attributes;
}

export function node({ name, opType, domain = "", inputs, outputs, attributes = {} }: NodeOptions): NodeProto {
  return create(NodeProtoSchema, {
    name,
    opType,
    domain,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
  });
}

/** A tensor that lies in a file: its location is written relative to `root`, as ONNX wants it. */
export function externalTensor({ key, file, dtype, shape, offset, byteLength }: WeightRef, root: string): TensorProto {
  return create(TensorProtoSchema, {
    name: key,
    dims: shape.map(BigInt),
    dataType: ONNX_TYPE[dtype],
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: relative(root, file).split(sep).join("/") },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(byteLength) },
    ],
  });
}

export type ConstantKind = "float32" | "float16" | "int64" | "int32";

/** A tensor that the graph itself holds. */
export function constantTensor(name: string, kind: ConstantKind, values: readonly number[], shape: Shape): TensorProto {
  const dims = shape.map(BigInt);
  switch (kind) {
    case "float32":
      return create(TensorProtoSchema, { name, dims, dataType: DataType.FLOAT, floatData: [...values] });
    case "float16":
      // ONNX keeps the bits of a half float in the low half of a 32-bit integer.
      return create(TensorProtoSchema, { name, dims, dataType: DataType.FLOAT16, int32Data: values.map(halfBits) });
    case "int32":
      return create(TensorProtoSchema, { name, dims, dataType: DataType.INT32, int32Data: [...values] });
    case "int64":
      return create(TensorProtoSchema, { name, dims, dataType: DataType.INT64, int64Data: values.map(BigInt) });
  }
}

export interface GraphParts {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Of ONNX's own operators. Default 21, for what is newer a newer one. */
  readonly opset?: bigint;
}

/** A whole model, serialised. */
export function modelBytes(parts: GraphParts): Uint8Array {
  const { name, nodes, initializers, inputs, outputs, opset = OPSET } = parts;
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "fewstep",
    opsetImport: [{ domain: "", version: opset }, { domain: MICROSOFT, version: 1n }],
    graph: {
      name,
      node: [...nodes],
      initializer: [...initializers],
      input: inputs.map(valueInfo),
      output: outputs.map(valueInfo),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

/** The nodes and initializers of a serialised model. */
export function partsOf(bytes: Uint8Array): Pick<GraphParts, "nodes" | "initializers"> {
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  return { nodes: graph?.node ?? [], initializers: graph?.initializer ?? [] };
}

/** A tensor that a network reads from a file. */
export interface External {
  readonly name: string;
  /** ONNX's number of its type. */
  readonly type: number;
  readonly shape: Shape;
  /** A whole path. */
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** The weights of a network, where they lie. */
export function externalsOf({ bytes, root }: Network): readonly External[] {
  return partsOf(bytes).initializers.filter((tensor) => externalBytes(tensor) > 0).map((tensor) => {
    const { location = "", offset = "0" } = Object.fromEntries(
      tensor.externalData.map(({ key, value }) => [key, value]),
    );
    return {
      name: tensor.name,
      type: tensor.dataType,
      shape: tensor.dims.map(Number),
      file: join(root, location),
      offset: Number(offset),
      byteLength: externalBytes(tensor),
    };
  });
}

/** Bytes of a tensor in its file; 0 of a constant that the graph itself holds. */
export function externalBytes({ externalData }: TensorProto): number {
  return Number(externalData.find(({ key }) => key === "length")?.value ?? 0);
}

/** What a profile wants to know of a network. */
export interface Layers {
  /** Bytes of weights in their files, by the layer whose key they have. */
  readonly weights: ReadonlyMap<string, number>;
  /** The layers that the network's outputs come from: runtimes let them take the output's name. */
  readonly outputs: ReadonlyMap<string, string>;
}

export function layersOf(bytes: Uint8Array): Layers {
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  const weights = new Map<string, number>();
  for (const tensor of graph?.initializer ?? []) {
    const length = externalBytes(tensor);
    if (length === 0) continue;
    const layer = tensor.name.replace(/\.(weight|bias)[^.]*$/, "");
    weights.set(layer, (weights.get(layer) ?? 0) + length);
  }
  const outputs = new Map<string, string>();
  for (const { name, opType, input: [source] } of graph?.node ?? []) {
    if (opType === "Identity") outputs.set(name, source.slice(0, source.indexOf("/")));
  }
  return { weights, outputs };
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
          shape: shape && { dim: shape.map((dimension) => ({ value: dimensionValue(dimension) })) },
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

/** A number as the bits of a half float. */
function halfBits(value: number): number {
  return new DataView(new Float16Array([value]).buffer).getUint16(0, true);
}
