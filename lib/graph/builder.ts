/**
 * A small, typed builder of ONNX graphs.
 *
 * A `Scope` is a place in the network. Its path is the weight's key in the checkpoint
 * (`down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight`) and the name of its nodes
 * (`down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q/FusedMatMul`), so nothing is named twice and an
 * error or a profile says which layer it means.
 */

import type { Shape } from "../tensor/tensor.ts";
import type { LoraModule } from "../weights/lora.ts";
import { shapeOf, type WeightRef, type WeightSource } from "../weights/weights.ts";
import type { Observe } from "./observable.ts";
import { type Attributes, CAST, type Compute, type Hint, type Value } from "./proto.ts";
import { GraphWriter } from "./writer.ts";

export { type Attributes, float, MICROSOFT, type Network, type Port, type Value } from "./proto.ts";

/** Pictures inside a network for one size. */
export interface Area {
  readonly batch: number;
  /** Of each: height·width, where they are looked at. */
  readonly places: number;
}

/** How a provider wants the layers written: what a layer becomes in its operators. */
export interface Lowering {
  readonly name: string;
  /** Why these operators, in a sentence: `model.description` tells it. */
  readonly why: string;
  /** The number type of the graph's values. Its inputs and outputs are float32 all the same. */
  readonly compute: Compute;
  /** What the runtime is told to compute in, where it converts by itself. Default: what the graph says. */
  readonly hint?: Hint;
  /**
   * How half-float weights of layers become float32. "folded": by the runtime at load, once, and all of them stay;
   * "bounded": in the layer that uses them, each time, and only while it runs.
   */
  readonly widening: "folded" | "bounded";
  /**
   * When half floats of a table, of which a few rows are taken, are converted: "after" the rows are taken, so that it
   * stays as it lies; "before", at load, where a device cannot read half floats.
   */
  readonly tables: "before" | "after";
  /**
   * x·Wᵀ + bias: torch's `[out, in]` weight as it lies, bias `[out]`. x: `[…, in]`
   *
   * @param after what must be there before the layer may begin, where x is there from the start. Default x
   */
  matmul(g: Scope, x: Value, weight: WeightRef, out: number, bias?: WeightRef, after?: Value): Value;
  /** torch.nn.Conv2d. x: `[batch, in, height, width]`, weight `[out, in, kernel, kernel]`, bias `[out]` */
  convolution(g: Scope, x: Value, weight: WeightRef, out: number, bias: WeightRef | undefined, window: Window): Value;
  /**
   * softmax(q·kᵀ/√d)·v per head. q: `[batch, queries, channels]`, k and v: `[batch, keys, channels]`
   *
   * @param area the pictures whose places look at each other, where their sizes are known
   */
  attention(g: Scope, q: Value, k: Value, v: Value, heads: number, mask: "none" | "causal", area?: Area): Value;
  /** x: `[batch, channels, …]`; weight and bias: `[channels]` */
  groupNorm(g: Scope, x: Value, weight: Value, bias: Value, groups: number, epsilon: number): Value;
  /** x at one place of each row: x `[batch, places, channels]`, position int32 `[batch]` → `[batch, channels]` */
  pick(g: Scope, x: Value, position: Value, places: number): Value;
  /** x·sigmoid(alpha·x): SiLU at alpha 1, CLIP's quick GELU at 1.702. */
  sigmoidGate(g: Scope, x: Value, alpha: number): Value;
  /** Sine and cosine of float32 angles, up to thousands of radians. */
  waves(g: Scope, angles: Value): { readonly sin: Value; readonly cos: Value };
  /** The exact GELU, by erf. */
  gelu(g: Scope, x: Value): Value;
  /** Over the last axis. weight and bias: `[channels]` */
  layerNorm(g: Scope, x: Value, weight: Value, bias: Value, epsilon: number): Value;
  /** x + y and the layer norm of that sum, where one operator gives both. Default: the two apart. */
  addNorm?(g: Scope, x: Value, y: Product, weight: Value, bias: Value, epsilon: number): SumAndNorm;
}

/** What a linear layer gives, its bias apart where the lowering adds it together with what follows. */
export interface Product {
  readonly value: Value;
  /** `[channels]`, to be added. Missing where it is in the value, or there is none. */
  readonly bias?: Value;
}

export interface SumAndNorm {
  readonly sum: Value;
  readonly normed: Value;
}

/** How a convolution goes over a picture. */
export interface Window {
  readonly kernel: 1 | 3;
  readonly stride: 1 | 2;
  /** Above, left, below, right. */
  readonly pads: readonly number[];
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
  /** The shape of the latent or picture that goes in, where the network is for one size alone. */
  readonly size?: Shape;
}

/** What every network's builder takes beside architecture and weights. */
export type BuildOptions = Pick<GraphOptions, "lowering" | "adapters" | "observe" | "size">;

/** The files' name of the type that needs no conversion. */
const STORED_AS = { float32: "F32", float16: "F16" } as const;

/** A network that is being built: what writes it, where its weights are, how its layers are to be written. */
export class Graph extends GraphWriter {
  readonly weights: WeightSource;
  readonly lowering: Lowering;
  readonly adapters: readonly Adapter[];
  readonly size: Shape | undefined;

  constructor({ name, weights, lowering, adapters = [], observe, size }: GraphOptions) {
    super({ name, compute: lowering.compute, hint: lowering.hint, observe });
    this.weights = weights;
    this.lowering = lowering;
    this.adapters = adapters;
    this.size = size;
    for (const { strength } of adapters) this.input(strength, "float32", []);
  }

  /** The scope whose path is a prefix of the checkpoint's keys; the empty one is the network itself. */
  at(path = ""): Scope {
    return new Scope(this, path);
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

  /**
   * The pictures here, where the network is for one size.
   *
   * @param shrink how many times smaller they are than where they go in
   */
  area(shrink: number): Area | undefined {
    const { size } = this.graph;
    if (size === undefined) return undefined;
    const [batch, , height, width] = size;
    return { batch, places: Math.ceil(height / shrink) * Math.ceil(width / shrink) };
  }

  has(name: string): boolean {
    return this.graph.weights.has(this.at(name).path);
  }

  /** Where a tensor of this scope lies in the checkpoint, checked against the shape that the config implies. */
  find(name: string, shape: Shape): WeightRef {
    return this.graph.weights.get(this.at(name).path, shape);
  }

  /** A tensor of this scope in the type that layers compute in: the graph converts it. */
  weight(name: string, shape: Shape): Value {
    return this.stored(this.find(name, shape));
  }

  /**
   * A stored tensor in the type that layers compute in, the right way round. Runtimes fold both conversions at load.
   *
   * @param after with a lowering that bounds widening: what must be there before this weight may be widened
   */
  stored(ref: WeightRef, after?: Value): Value {
    const { compute } = this.lowering;
    let name = this.graph.external(ref);
    if (ref.dtype !== STORED_AS[compute]) {
      if (after !== undefined && this.lowering.widening === "bounded") {
        name = this.graph.delayed(name, ref.shape.length, after.name);
      }
      name = this.graph.fold(name, "Cast", { to: CAST[compute] });
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
      return [{ module, strength: scope.entered({ name: scaled, channels: 1 }), scope }];
    });
  }

  /** A float32 value, such as an input, in the type that layers compute in. */
  entered(x: Value): Value {
    const { compute } = this.lowering;
    return compute === "float32" ? x : { ...x, name: this.graph.fold(x.name, "Cast", { to: CAST[compute] }) };
  }

  /** A value of any number type, converted. */
  cast(x: Value, to: keyof typeof CAST): Value {
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

  /** One ONNX operator of which two outputs are read, the first and the one at `place`. */
  twoOf(
    opType: string,
    inputs: readonly (Value | undefined)[],
    place: number,
    channels: number,
    attributes: Attributes = {},
    domain = "",
  ): readonly [Value, Value] {
    const names = inputs.map((input) => input?.name ?? "");
    const [first, second] = this.graph.twoOf(this.path, opType, names, place, attributes, domain);
    return [{ name: first, channels }, { name: second, channels }];
  }

  ints(...values: number[]): string {
    return this.graph.constant("int64", values, [values.length]);
  }

  /** A number in the type that layers compute in. */
  scalar(value: number): string {
    return this.graph.constant(this.lowering.compute, [value], []);
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
