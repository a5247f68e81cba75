/**
 * Writes an ONNX graph: nodes, weights as external data, constants. It knows names and places, and nothing of layers.
 *
 * Weights are ONNX *external data*: the graph says in which file and at which byte they lie, and the runtime maps
 * them from the published .safetensors. No tensor byte passes through JavaScript.
 */

import { parse } from "node:path";
import type { Shape } from "../tensor/tensor.ts";
import type { WeightRef } from "../weights/weights.ts";
import type { Observable, Observe } from "./observable.ts";
import type { NodeProto, TensorProto } from "./onnx/onnx_pb.ts";
import {
  type Attributes,
  CAST,
  type Compute,
  type ConstantKind,
  constantTensor,
  externalTensor,
  type Hint,
  modelBytes,
  type Network,
  node,
  type Port,
  type Value,
} from "./proto.ts";

export interface WriterOptions {
  /** What the network is, for errors: "unet", "vae decoder", … */
  readonly name: string;
  /** The number type that layers compute in. */
  readonly compute: Compute;
  readonly hint?: Hint;
  readonly observe?: Observe;
}

export class GraphWriter {
  readonly name: string;
  readonly compute: Compute;
  readonly hint: Hint | undefined;
  readonly #observe: Observe | undefined;
  readonly #observable: Observable[] = [];
  readonly #nodes: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #externals = new Map<string, string>();
  readonly #names = new Set<string>();
  #root: string | undefined;

  constructor({ name, compute, hint, observe }: WriterOptions) {
    this.name = name;
    this.compute = compute;
    this.hint = hint;
    this.#observe = observe;
  }

  input(name: string, dtype: Port["dtype"], shape: Port["shape"], channels = 0): Value {
    this.#inputs.push({ name, dtype, shape });
    this.#names.add(name);
    return { name, channels };
  }

  /** Declares a value an output of the network, under its own name; it comes out in float32. */
  output(name: string, value: Value, shape: Port["shape"]): void {
    const [opType, attributes] = this.compute === "float32" ? ["Identity", {}] : ["Cast", { to: CAST.float32 }];
    this.#nodes.push(node({ name, opType, inputs: [value.name], outputs: [name], attributes }));
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

  /** Adds a node of which two outputs are read, the first and the one at `place`. @returns their names */
  twoOf(
    path: string,
    opType: string,
    inputs: readonly string[],
    place: number,
    attributes: Attributes = {},
    domain = "",
  ): readonly [string, string] {
    const name = unique(`${path}/${opType}`, this.#names);
    const other = `${name}:${place}`;
    const between = Array<string>(place - 1).fill("");
    this.#nodes.push(node({ name, opType, domain, inputs, outputs: [name, ...between, other], attributes }));
    return [name, other];
  }

  /**
   * An operator on one value whose outputs several layers read: made once.
   *
   * @returns the names of its outputs
   */
  shared(input: string, opType: string, outputs: number, attributes: Attributes = {}): readonly string[] {
    const name = `${input}/${opType}`;
    const names = [name, ...Array.from({ length: outputs - 1 }, (_, i) => `${name}:${i + 1}`)];
    if (this.#names.has(name)) return names;
    this.#names.add(name);
    this.#nodes.push(node({ name, opType, inputs: [input], outputs: names, attributes }));
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
    const { name, hint } = this;
    return { name, bytes, hint, root: this.#root ?? "", inputs, outputs, observable: this.#observable };
  }
}

/** The name, or with a number where it is taken; taken from now on. */
function unique(name: string, taken: Set<string>): string {
  let found = name;
  for (let n = 2; taken.has(found); n++) found = `${name}.${n}`;
  taken.add(found);
  return found;
}
