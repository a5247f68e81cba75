/**
 * Where a network's time and memory go: the runtime's own per-operator times, rolled up to the blocks that the nodes'
 * names tell.
 */

import * as v from "valibot";

/** One operator of a network, over several runs on the same inputs. */
export interface OperatorProfile {
  /** Which network: "unet", "vae decoder", "text_encoder", … */
  readonly part: string;
  /** The layer that it belongs to, by its key in the checkpoint. What the runtime adds itself counts to the layer before. */
  readonly layer: string;
  /** What it is: "Conv", "FusedMatMul", "MultiHeadAttention", … */
  readonly operator: string;
  /** In the fastest of the runs: a machine's noise only ever adds. */
  readonly milliseconds: number;
  /** Bytes that it writes. */
  readonly output: number;
}

/** A network's operators in the order in which they ran. */
export interface NetworkProfile {
  /** Which network: "unet", "vae decoder", "text_encoder", … */
  readonly part: string;
  /** As they ran, first to last. */
  readonly operators: readonly OperatorProfile[];
  /** Of all operators together. */
  readonly milliseconds: number;
  /** Bytes of weights in the file, by layer. */
  readonly weights: ReadonlyMap<string, number>;
  /** Most bytes that weights and intermediate values held at once, by the runtime's own count. */
  readonly peak: number;
}

const count = v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number));

const event = v.looseObject({
  cat: v.string(),
  name: v.string(),
  dur: v.number(),
  args: v.looseObject({
    op_name: v.optional(v.string()),
    output_size: v.optional(count),
    mem_in_use_peak: v.optional(count),
  }),
});

const KERNEL = "_kernel_time";

export interface TraceOptions {
  readonly part: string;
  /** Runs at the beginning that are left out: the first packs weights and fills caches. */
  readonly warmUp: number;
  /** Bytes of weights by layer, which the trace does not tell once they are packed anew; and the layers of outputs. */
  readonly layers: { readonly weights: ReadonlyMap<string, number>; readonly outputs: ReadonlyMap<string, string> };
}

/**
 * Reads the trace that ONNX Runtime writes with profiling on (Chrome's trace event format, microseconds).
 *
 * @throws SyntaxError when the trace is not one, or holds no more runs than that
 */
export function readTrace(json: string, { part, warmUp, layers: { weights, outputs } }: TraceOptions): NetworkProfile {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), v.array(event)), json);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new SyntaxError(
      `Cannot read the profile of the ${part}: at ${v.getDotPath(issue) ?? "the top"}, ${issue.message}.`,
    );
  }
  const runs = parsed.output.filter(({ name }) => name === "model_run").length - warmUp;
  if (runs < 1) throw new SyntaxError(`Cannot read the profile of the ${part}: it holds no run.`);
  const nodes = parsed.output.filter(({ cat, name }) => cat === "Node" && name.endsWith(KERNEL));
  const byName = Map.groupBy(nodes, ({ name }) => name.slice(0, -KERNEL.length));
  // Fused operators and changes of layout have names of the runtime's own; they run where they are needed.
  let layer = "";
  const operators = [...byName].map(([name, events]): OperatorProfile => {
    const [{ args }] = events;
    const output = [...outputs.keys()].find((output) => name === output || name === `${output}_nchwc`);
    if (name.includes("/")) layer = name.slice(0, name.indexOf("/"));
    else if (output !== undefined) layer = outputs.get(output) ?? layer;
    return {
      part,
      layer,
      operator: args.op_name ?? "",
      milliseconds: least(events.slice(warmUp).map(({ dur }) => dur)) / 1000,
      output: args.output_size ?? 0,
    };
  });
  const peak = nodes.reduce((most, { args }) => Math.max(most, args.mem_in_use_peak ?? 0), 0);
  return { part, operators, milliseconds: sum(operators, ({ milliseconds }) => milliseconds), weights, peak };
}

const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);

/**
 * By what operators are put together: the network; its blocks, as `down_blocks.1.attentions.0`; what a layer does, as
 * "cross-attention"; or the runtime's operator.
 */
export type ProfileBy = "part" | "block" | "kind" | "operator";

/** Operators put together. A row of a table. */
export interface ProfileRow {
  /** "unet", "vae" or a text encoder. */
  readonly part: string;
  /** What the rows are told apart by: a block, a kind of operator, an operator. */
  readonly name: string;
  /** Operators in it. */
  readonly operators: number;
  /** Of a step, all of them together. */
  readonly milliseconds: number;
  /** Of all rows' time, 0..1. */
  readonly share: number;
  /** Bytes of weights in the file; undefined where operators are put together, which share layers. */
  readonly weights: number | undefined;
  /** Bytes written in a run: what passes through memory, not what is held at once. */
  readonly output: number;
}

/** Operators put together: networks in the order in which they ran, blocks in the graph's, anything else by time. */
export function rollUp(networks: readonly NetworkProfile[], by: ProfileBy): ProfileRow[] {
  const operators = networks.flatMap(({ operators }) => operators);
  const total = sum(operators, ({ milliseconds }) => milliseconds);
  const weights = new Map<string, number>();
  for (const { part, weights: ofLayers } of networks) {
    for (const [layer, bytes] of ofLayers) {
      const key = `${part}\n${nameOf({ part, layer, operator: "" }, by)}`;
      weights.set(key, (weights.get(key) ?? 0) + bytes);
    }
  }
  const groups = Map.groupBy(operators, (one) => `${one.part}\n${nameOf(one, by)}`);
  const rows = [...groups].map(([key, group]): ProfileRow => {
    const milliseconds = sum(group, (one) => one.milliseconds);
    return {
      part: group[0].part,
      name: nameOf(group[0], by),
      operators: group.length,
      milliseconds,
      share: milliseconds / total,
      weights: by === "operator" ? undefined : weights.get(key) ?? 0,
      output: sum(group, ({ output }) => output),
    };
  });
  if (by === "part") return rows;
  if (by !== "block") return rows.sort((a, b) => b.milliseconds - a.milliseconds);
  // Runtimes run what waits for nothing first: the graph's own order is the one that people know.
  const order = [...weights.keys()];
  const place = ({ part, name }: ProfileRow) => {
    const index = order.indexOf(`${part}\n${name}`);
    return index < 0 ? Infinity : index;
  };
  return rows.toSorted((a, b) => place(a) === place(b) ? 0 : place(a) - place(b));
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

function nameOf(one: Pick<OperatorProfile, "part" | "layer" | "operator">, by: ProfileBy): string {
  switch (by) {
    case "part":
      return one.part;
    case "block":
      return blockOf(one.layer);
    case "kind":
      return kindOf(one.layer);
    case "operator":
      return one.operator;
  }
}

/** `down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q` is in the block `down_blocks.1.attentions.0`. */
export function blockOf(layer: string): string {
  if (layer === "") return "(input)";
  const prefix = "^(?:(?:text_model|encoder|decoder)\\.)*";
  const patterns = [
    `${prefix}(?:(?:down_blocks|up_blocks)\\.\\d+|mid_block)(?:\\.(?:resnets|attentions|downsamplers|upsamplers)\\.\\d+)?`,
    `${prefix}layers\\.\\d+`,
    `${prefix}[^.]+`,
  ];
  for (const pattern of patterns) {
    const [block] = layer.match(pattern) ?? [];
    if (block !== undefined) return block;
  }
  return layer;
}

const kinds: readonly (readonly [RegExp, string])[] = [
  [/\.attn1(\.|$)|\.self_attn(\.|$)|mid_block\.attentions\.\d+\.(to_|group_norm)/, "self-attention"],
  [/\.attn2(\.|$)/, "cross-attention"],
  [/\.ff(\.|$)|\.mlp(\.|$)/, "feed-forward"],
  [/\.resnets\.\d+|samplers\.\d+|(^|\.)(conv_in|conv_out|post_quant_conv|conv_norm_out)(\.|$)/, "convolutions"],
  [/norm|proj_in|proj_out|attentions\.\d+(\.transformer_blocks\.\d+)?$/, "around attention"],
];

/** What a layer does. */
export function kindOf(layer: string): string {
  return kinds.find(([pattern]) => pattern.test(layer))?.[1] ?? "embeddings and the rest";
}
