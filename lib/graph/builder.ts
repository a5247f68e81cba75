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
 */

import { parse } from "node:path";
import type { Shape } from "../tensor/tensor.ts";
import type { LoraModule } from "../weights/lora.ts";
import { shapeOf, type WeightRef, type WeightSource } from "../weights/weights.ts";
import type { Observable, Observe } from "./observable.ts";
import type { NodeProto, TensorProto } from "./onnx/onnx_pb.ts";
import {
  type Attributes,
  CAST,
  type ConstantKind,
  constantTensor,
  externalTensor,
  modelBytes,
  type Network,
  node,
  type Port,
  type Value,
} from "./proto.ts";

export { type Attributes, float, MICROSOFT, type Network, type Port, type Value } from "./proto.ts";

/** How a provider wants the layers written: what a layer becomes in its operators. */
export interface Lowering {
  readonly name: string;
  /**
   * How half-float weights of layers become float32. "folded": by the runtime at load, once, and all of them stay;
   * "bounded": in the layer that uses them, each time, and only while it runs.
   */
  readonly widening: "folded" | "bounded";
  /**
   * x·Wᵀ + bias: torch's `[out, in]` weight as it lies, bias `[out]`. x: `[…, in]`
   *
   * @param after what must be there before the layer may begin, where x is there from the start. Default x
   */
  matmul(g: Scope, x: Value, weight: WeightRef, out: number, bias?: WeightRef, after?: Value): Value;
  /** softmax(q·kᵀ/√d)·v per head. q: `[batch, queries, channels]`, k and v: `[batch, keys, channels]` */
  attention(g: Scope, q: Value, k: Value, v: Value, heads: number, mask: "none" | "causal"): Value;
  /** x: `[batch, channels, …]`; weight and bias: `[channels]` */
  groupNorm(g: Scope, x: Value, weight: Value, bias: Value, groups: number, epsilon: number): Value;
  /** x·sigmoid(alpha·x): SiLU at alpha 1, CLIP's quick GELU at 1.702. */
  sigmoidGate(g: Scope, x: Value, alpha: number): Value;
}

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
  /** Layers whose values become outputs, each under `observed/` and its name. Default none: the graph is as without. */
  readonly observe?: Observe;
}

/** What every network's builder takes beside architecture and weights. */
export type BuildOptions = Pick<GraphOptions, "lowering" | "adapters" | "observe">;

export class Graph {
  readonly name: string;
  readonly weights: WeightSource;
  readonly lowering: Lowering;
  readonly adapters: readonly Adapter[];
  readonly #observe: Observe | undefined;
  readonly #observable: Observable[] = [];
  readonly #nodes: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #externals = new Map<string, string>();
  readonly #names = new Set<string>();
  #root: string | undefined;

  constructor({ name, weights, lowering, adapters = [], observe }: GraphOptions) {
    this.#observe = observe;
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

  input(name: string, dtype: Port["dtype"], shape: Port["shape"], channels = 0): Value {
    this.#inputs.push({ name, dtype, shape });
    this.#names.add(name);
    return { name, channels };
  }

  /** Declares a value an output of the network, under its own name. */
  output(name: string, value: Value, shape: Port["shape"]): void {
    this.#nodes.push(node({ name, opType: "Identity", inputs: [value.name], outputs: [name] }));
    this.#outputs.push({ name, dtype: "float32", shape });
  }

  /**
   * Notes that a layer can be looked at, and where that is asked for makes its value an output.
   *
   * @param make called only where it is asked for: what it adds to the graph is not there otherwise
   */
  observe(observable: Observable, shape: Port["shape"], make: (heads: Observe["heads"]) => Value): void {
    this.#observable.push(observable);
    const { layer } = observable;
    if (this.#observe?.layers.includes(layer)) this.output(`observed/${layer}`, make(this.#observe.heads), shape);
  }

  /** Adds a node with one output and returns the output's name, which is the node's own. */
  node(path: string, opType: string, inputs: readonly string[], attributes: Attributes = {}, domain = ""): string {
    const name = unique(`${path}/${opType}`, this.#names);
    this.#nodes.push(node({ name, opType, domain, inputs, outputs: [name], attributes }));
    return name;
  }

  /**
   * An operator on one value whose outputs several layers read: made once.
   *
   * @returns the names of its outputs
   */
  shared(input: string, opType: string, outputs: number): readonly string[] {
    const name = `${input}/${opType}`;
    const names = [name, ...Array.from({ length: outputs - 1 }, (_, i) => `${name}:${i + 1}`)];
    if (this.#names.has(name)) return names;
    this.#names.add(name);
    this.#nodes.push(node({ name, opType, inputs: [input], outputs: names }));
    return names;
  }

  /** A tensor of a file, as it lies there. Named by its key, and apart from tensors of that key in other files. */
  external(ref: WeightRef): string {
    const place = `${ref.file}:${ref.offset}:${ref.shape}`;
    const known = this.#externals.get(place);
    if (known !== undefined) return known;
    this.#root ??= parse(ref.file).root;
    const name = unique(ref.key, this.#names);
    this.#externals.set(place, name);
    this.#initializers.set(name, externalTensor({ ...ref, key: name }, this.#root));
    return name;
  }

  /** An operator on a weight alone, which runtimes carry out at load: it costs no time in a step. */
  fold(weight: string, opType: string, attributes: Attributes): string {
    const name = `${weight}/${opType}`;
    return this.#names.has(name) ? name : this.node(weight, opType, [weight], attributes);
  }

  /**
   * A weight, unchanged and not copied, that is there only after another value is: it is reshaped by zeros, which keep
   * each dimension as it is, and the zeros are made of the other value's shape. Nothing of it can be folded.
   */
  delayed(weight: string, rank: number, after: string): string {
    const name = `${weight}/Reshape`;
    if (this.#names.has(name)) return name;
    const zeros = `${after}/Zeros${rank}`;
    if (!this.#names.has(`${zeros}/Mul`)) {
      const batch = this.node(zeros, "Shape", [after], { start: 0, end: 1 });
      this.node(zeros, "Mul", [batch, this.constant("int64", Array<number>(rank).fill(0), [rank])]);
    }
    return this.node(weight, "Reshape", [weight, `${zeros}/Mul`]);
  }

  /** An input times a constant, computed once however many layers want it. */
  scaled(input: string, factor: number): string {
    const name = `${input}·${factor}/Mul`;
    if (this.#names.has(name)) return name;
    return this.node(`${input}·${factor}`, "Mul", [input, this.constant("float32", [factor], [])]);
  }

  /** A constant of the graph itself. Equal constants are stored once. */
  constant(kind: ConstantKind, values: readonly number[], shape: Shape): string {
    const name = `${kind}[${shape}](${values})`;
    if (!this.#initializers.has(name)) this.#initializers.set(name, constantTensor(name, kind, values, shape));
    return name;
  }

  /** The finished network, as bytes that hold no weights. */
  finish(): Network {
    const [inputs, outputs] = [this.#inputs, this.#outputs];
    const initializers = [...this.#initializers.values()];
    const bytes = modelBytes({ name: this.name, nodes: this.#nodes, initializers, inputs, outputs });
    return { name: this.name, bytes, root: this.#root ?? "", inputs, outputs, observable: this.#observable };
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

  /**
   * A stored tensor in float32, the right way round. Runtimes fold both conversions at load.
   *
   * @param after with a lowering that bounds widening: what must be there before this weight may be widened
   */
  float32(ref: WeightRef, after?: Value): Value {
    let name = this.graph.external(ref);
    if (ref.dtype !== "F32") {
      if (after !== undefined && this.lowering.widening === "bounded") {
        name = this.graph.delayed(name, ref.shape.length, after.name);
      }
      name = this.graph.fold(name, "Cast", { to: CAST.float32 });
    }
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
    return this.op("Cast", [x], x.channels, { to: CAST[to] });
  }

  /** This scope's output, a picture, can be looked at as a feature map. */
  features(x: Value): Value {
    const shape = ["batch", x.channels, `${this.path} height`, `${this.path} width`];
    this.graph.observe({ layer: this.path, kind: "features" }, shape, () => x);
    return x;
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
    return { name: this.graph.node(this.path, opType, names, attributes, domain), channels };
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

/** The name, or with a number where it is taken; taken from now on. */
function unique(name: string, taken: Set<string>): string {
  let found = name;
  for (let n = 2; taken.has(found); n++) found = `${name}.${n}`;
  taken.add(found);
  return found;
}
