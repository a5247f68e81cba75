/**
 * SDXL's VAE decoder in two graphs, so that a picture of any size is decoded in little memory:
 *
 *     latent ─ middle ─ [batch, channels, height/8, width/8]          whole: small, and its attention sees every place
 *     a window of that, and the group norms' statistics ─ a tile      the rest, up to the picture's size
 *
 * A group norm takes mean and variance over the whole picture, which no tile knows. They are inputs here; what the tile
 * itself has of them is an output, so that tiles add up to the whole picture's.
 */

import type { VaeArchitecture } from "../weights/architecture.ts";
import type { Shape } from "../tensor/tensor.ts";
import type { WeightSource } from "../weights/weights.ts";
import { type BuildOptions, Graph, type Lowering, type Network, type Scope, type Value } from "./builder.ts";
import { nearest } from "./layers.ts";
import { decoderEnd, decoderMiddle } from "./vae.ts";

/**
 * Builds the graph of all that works at the latent's size.
 *
 * Input: `latent_sample` `[batch, 4, height/8, width/8]`, as the sampler holds it. Output: `middle`
 * `[batch, channels, height/8, width/8]`.
 */
export function buildVaeMiddle(vae: VaeArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const graph = new Graph({ ...options, name: "vae decoder, middle", weights });
  const { latentChannels } = vae;
  const latent = graph.input("latent_sample", "float32", ["batch", latentChannels, "height", "width"], latentChannels);
  const x = decoderMiddle(graph.at(), latent, vae);
  graph.output("middle", x, ["batch", x.channels, "height", "width"]);
  const sized = (shapes: ReadonlyMap<string, Shape>) =>
    buildVaeMiddle(vae, weights, { ...options, size: shapes.get("latent_sample") });
  return { ...graph.finish(), sized };
}

/** Group norms of the decoder after its middle block: two a resnet, and the last one. */
export function tileNorms({ blockOutChannels, layersPerBlock }: VaeArchitecture): number {
  return blockOutChannels.length * (layersPerBlock + 1) * 2 + 1;
}

/**
 * Latent cells that a picture's pixel can see beyond its own after the middle block: a place for every convolution, at
 * the size at which it works.
 */
export function tileReach({ blockOutChannels: { length: levels }, layersPerBlock }: VaeArchitecture): number {
  const last = 2 ** (levels - 1);
  let reach = 1 / last; // conv_out
  for (let level = 0; level < levels; level++) {
    reach += 2 * (layersPerBlock + 1) / 2 ** level;
    if (level < levels - 1) reach += 1 / 2 ** (level + 1); // the upsampler's
  }
  return Math.ceil(reach);
}

/**
 * Builds the graph of a tile: everything after the middle block, on a window of its output.
 *
 * Inputs, for `norms` = `tileNorms(vae)`: `middle` `[1, channels, h, w]`; `core` `[1, 1, h, w]`, 1 where the tile counts
 * for the statistics and 0 in its surroundings; `mean` and `variance` `[norms, groups]` of each norm's input; `given`
 * `[]`, 1 to norm by these, 0 to norm by the window's own. Outputs: `sample` `[1, 3, 8 h, 8 w]`, and of each norm's input
 * `[norms, groups]` each: `used`, the mean that was taken off; `off`, the mean of what is left over the core, and
 * `squares`, that of its squares.
 */
export function buildVaeTile(vae: VaeArchitecture, weights: WeightSource, options: BuildOptions): Network {
  const { blockOutChannels, layersPerBlock, groups, imageChannels } = vae;
  const channels = blockOutChannels[blockOutChannels.length - 1];
  const norms = new TileNorms(options.lowering, groups, 2 * (layersPerBlock + 1), blockOutChannels.length);
  const graph = new Graph({ ...options, name: "vae decoder, tile", weights, lowering: norms.lowering });
  const middle = graph.input("middle", "float32", [1, channels, "height", "width"], channels);
  norms.begin(graph, tileNorms(vae));
  const x = decoderEnd(graph.at(), middle, vae);
  graph.output("sample", x, [1, imageChannels, "8 height", "8 width"]);
  norms.end(graph, tileNorms(vae));
  return graph.finish();
}

/** Group norms by statistics from outside, in the order in which the decoder has them. */
class TileNorms {
  readonly lowering: Lowering;
  readonly #groups: number;
  readonly #perLevel: number;
  /** The core at each level's size. */
  readonly #cores: Value[] = [];
  readonly #levels: number;
  readonly #found: { readonly used: Value; readonly off: Value; readonly squares: Value }[] = [];
  #given: { readonly mean: Value; readonly variance: Value; readonly given: Value } | undefined;

  constructor(lowering: Lowering, groups: number, perLevel: number, levels: number) {
    this.#groups = groups;
    this.#perLevel = perLevel;
    this.#levels = levels;
    this.lowering = {
      ...lowering,
      groupNorm: (g, x, weight, bias, _groups, epsilon) => this.#norm(g, x, weight, bias, epsilon),
    };
  }

  begin(graph: Graph, norms: number): void {
    const shape = [norms, this.#groups];
    this.#given = {
      mean: graph.input("mean", "float32", shape, this.#groups),
      variance: graph.input("variance", "float32", shape, this.#groups),
      given: graph.input("given", "float32", [], 1),
    };
    let core = graph.input("core", "float32", [1, 1, "height", "width"], 1);
    for (let level = 0; level < this.#levels; level++) {
      this.#cores.push(core);
      core = nearest(graph.at(`core.${level}`), core);
    }
  }

  end(graph: Graph, norms: number): void {
    const g = graph.at("statistics");
    for (const name of ["used", "off", "squares"] as const) {
      const joined = g.at(name).concat(this.#found.map((one) => one[name]), 0);
      graph.output(name, { ...joined, channels: this.#groups }, [norms, this.#groups]);
    }
  }

  #norm(g: Scope, x: Value, weight: Value, bias: Value, epsilon: number): Value {
    if (this.#given === undefined) throw new Error("Cannot norm a tile before its inputs are there.");
    const index = this.#found.length;
    const core = this.#cores[Math.min(this.#levels - 1, Math.floor(index / this.#perLevel))];
    const { mean, variance, given } = this.#given;
    const groups = this.#groups;
    const op = (opType: string, inputs: readonly (Value | string)[]) => g.op(opType, inputs, groups);
    const row = (table: Value) => op("Gather", [table, g.ints(index)]);
    /** Given where `given` is 1, else the window's own. */
    const either = (own: Value, outside: Value) => g.add(own, g.mul(op("Sub", [outside, own]), given));
    const spread = (values: Value) => op("Unsqueeze", [values, g.ints(2)]); // [1, groups, 1]

    const grouped = g.reshape(x, [0, groups, -1]);
    const ownMean = op("ReduceMean", [grouped, g.ints(2)]);
    const used = g.reshape(either(g.reshape(ownMean, [1, groups], groups), row(mean)), [1, groups], groups);
    const centred = op("Sub", [grouped, spread(used)]);
    const squared = g.mul(centred, centred);
    const ownVariance = g.reshape(op("ReduceMean", [squared, g.ints(2)]), [1, groups], groups);
    const like = g.op("Shape", [x], 0);
    const counted = g.mul(op("ReduceSum", [core]), g.scalar(x.channels / groups));
    const overCore = (values: Value) => {
      const seen = g.mul(g.op("Reshape", [values, like], x.channels), core);
      const sum = op("ReduceSum", [g.reshape(seen, [0, groups, -1]), g.ints(2)]);
      return g.reshape(op("Div", [sum, counted]), [1, groups], groups);
    };
    const [off, squares] = [overCore(centred), overCore(squared)];
    this.#found.push({ used, off, squares });
    // Nothing in value: no norm ends before its statistics are there. Else a runtime takes them all at the end, and
    // keeps every norm's input until then.
    const nothing = g.mul(g.add(off, squares), g.scalar(0));
    const ofNorm = g.add(either(ownVariance, row(variance)), nothing);
    const deviation = op("Sqrt", [op("Add", [ofNorm, g.scalar(epsilon)])]);
    const normed = op("Div", [centred, spread(deviation)]);

    const back = g.op("Reshape", [normed, like], x.channels);
    const [scale, shift] = [weight, bias].map((value) => g.op("Unsqueeze", [value, g.ints(1, 2)], x.channels));
    return g.add(g.mul(back, scale), shift);
  }
}
