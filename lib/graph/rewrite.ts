/** A finished network, written another way: with sizes that are known, with more outputs, in pieces. */

import type { NodeProto } from "./onnx/onnx_pb.ts";
import { CAST, externalBytes, modelBytes, type Network, node, partsOf, type Port } from "./proto.ts";
import type { Shape } from "../tensor/tensor.ts";

/** The same network for inputs of these shapes alone: runtimes then work out at load what depends on shapes only. */
export function pinned(given: Network, shapes: ReadonlyMap<string, Shape>): Network {
  const network = given.sized?.(shapes) ?? given;
  const inputs = network.inputs.map((port) => ({ ...port, shape: shapes.get(port.name) ?? port.shape }));
  const bytes = modelBytes({ ...network, ...partsOf(network.bytes), inputs });
  return { ...network, inputs, bytes, sized: undefined };
}

/** Names of the values that a network's layers give on, in the order in which they are computed. */
export function valuesOf(network: Network): readonly string[] {
  const { nodes, initializers } = partsOf(network.bytes);
  const kinds = kindsOf(nodes);
  const given = new Set(network.outputs.map(({ name }) => name));
  const stored = new Set(initializers.map(({ name }) => name));
  return nodes.flatMap(({ output: [name], input }) =>
    kinds.get(name) === "float" && !given.has(name) && input.some((from) => from !== "" && !stored.has(from))
      ? [name]
      : []
  );
}

/** Names of the values that a value is computed from. */
export function sourcesOf(network: Network, value: string): readonly string[] {
  const { nodes } = partsOf(network.bytes);
  const made = new Set(nodes.flatMap(({ output }) => output));
  return nodes.find(({ output }) => output.includes(value))?.input.filter((name) => made.has(name)) ?? [];
}

/** The same network with more outputs, in float32: each a value of it, under `PROBED` and the value's name. */
export function probed(network: Network, values: readonly string[]): Network {
  const { nodes, initializers } = partsOf(network.bytes);
  const probes = values.map((value) =>
    node({
      name: PROBED + value,
      opType: "Cast",
      inputs: [value],
      outputs: [PROBED + value],
      attributes: { to: CAST.float32 },
    })
  );
  const outputs = [...network.outputs, ...values.map((value): Port => ({ name: PROBED + value, dtype: "float32" }))];
  const bytes = modelBytes({ ...network, initializers, nodes: [...nodes, ...probes], outputs });
  return { ...network, outputs, bytes, sized: undefined };
}

/** What the names of probed outputs begin with. */
export const PROBED = "probed/";

/** Bytes of weights that a network reads from files. */
export function weightBytes(network: Network): number {
  return partsOf(network.bytes).initializers.reduce((sum, tensor) => sum + externalBytes(tensor), 0);
}

/**
 * A network in pieces that run one after another, each with weights of at most `limit` bytes, as far as its blocks are
 * no larger: so only one piece's weights have to be in memory. What one piece computes and a later one reads is an
 * output of the one and an input of the other.
 *
 * @param limit bytes of weights, as they lie in their files
 */
export function cut(network: Network, limit: number): readonly Network[] {
  const { nodes, initializers } = partsOf(network.bytes);
  const sizes = new Map(initializers.map((tensor) => [tensor.name, externalBytes(tensor)]));
  const kinds = kindsOf(nodes);
  const pieces = piecesOf(nodes, sizes, limit).map((piece) => withShapes(piece, nodes, kinds));
  if (pieces.length < 2) return [network];

  const lastUse = new Map<string, number>();
  pieces.forEach((piece, i) => piece.forEach(({ input }) => input.forEach((name) => lastUse.set(name, i))));
  const ports = new Map([...network.inputs, ...network.outputs].map((port) => [port.name, port]));
  const portOf = (name: string): Port => ports.get(name) ?? { name, dtype: "float32" };
  const cutOut = pieces.map((piece, i) => {
    const made = new Set(piece.flatMap(({ output }) => output));
    const read = new Set(piece.flatMap(({ input }) => input));
    const inputs = [...read].filter((name) => name !== "" && !made.has(name) && !sizes.has(name)).map(portOf);
    const wanted = [...made].filter((name) => kinds.get(name) === "float" && (lastUse.get(name) ?? -1) > i);
    const outputs = [...made].filter((name) => ports.has(name) || wanted.includes(name)).map(portOf);
    const name = `${network.name}, piece ${i + 1} of ${pieces.length}`;
    const own = initializers.filter((tensor) => read.has(tensor.name));
    const bytes = modelBytes({ name, nodes: piece, initializers: own, inputs, outputs });
    return { ...network, name, inputs, outputs, bytes, observable: [], sized: undefined };
  });
  return cutOut.filter(({ outputs }) => outputs.length > 0); // of shapes alone: each piece has its own
}

/** A piece that works out by itself which shapes it needs of values: only floats go from one piece to the next. */
function withShapes(
  piece: readonly NodeProto[],
  nodes: readonly NodeProto[],
  kinds: ReadonlyMap<string, "float" | "other">,
): readonly NodeProto[] {
  const made = new Set(piece.flatMap(({ output }) => output));
  const missing = (of: readonly NodeProto[]) =>
    of.flatMap(({ input }) => input).filter((name) => kinds.get(name) === "other" && !made.has(name));
  const added = new Set<NodeProto>();
  for (let wanted = new Set(missing(piece)); wanted.size > 0;) {
    const makers = nodes.filter(({ output }) => output.some((name) => wanted.has(name)));
    for (const maker of makers) {
      added.add(maker);
      maker.output.forEach((name) => made.add(name));
    }
    wanted = new Set(missing(makers));
  }
  return [...nodes.filter((node) => added.has(node)), ...piece];
}

/** The blocks of a network, one after another, put together as long as their weights fit. */
function piecesOf(
  nodes: readonly NodeProto[],
  sizes: ReadonlyMap<string, number>,
  limit: number,
): readonly (readonly NodeProto[])[] {
  const pieces: NodeProto[][] = [];
  let [piece, held, seen]: [NodeProto[], number, Set<string>] = [[], 0, new Set()];
  for (const block of blocksOf(nodes)) {
    const read = new Set(block.flatMap(({ input }) => input));
    let bytes = 0;
    for (const name of read) if (!seen.has(name)) bytes += sizes.get(name) ?? 0;
    if (piece.length > 0 && held + bytes > limit) {
      pieces.push(piece);
      [piece, held, seen] = [[], 0, new Set()];
    }
    piece.push(...block);
    held += bytes;
    for (const name of read) seen.add(name);
  }
  return [...pieces, piece];
}

/** The part of a node's name that says which block it is of: nothing between two blocks is worth cutting. */
const BLOCK = /^.*?\b(resnets|transformer_blocks|downsamplers|upsamplers|layers)\.\d+|^[^/.]*/;

function blocksOf(nodes: readonly NodeProto[]): readonly NodeProto[][] {
  const blocks: NodeProto[][] = [];
  let current: string | undefined;
  for (const node of nodes) {
    const [name] = node.name.match(BLOCK) ?? [""];
    if (name !== current) blocks.push([]);
    current = name;
    blocks[blocks.length - 1].push(node);
  }
  return blocks;
}

/** Which values are numbers that layers compute with: "float", and not shapes, places or codes. */
function kindsOf(nodes: readonly NodeProto[]): ReadonlyMap<string, "float" | "other"> {
  const kinds = new Map<string, "float" | "other">();
  for (const { opType, input, output, attribute } of nodes) {
    const to = opType === "Cast" ? Number(attribute.find(({ name }) => name === "to")?.i) : undefined;
    const other = OTHER.has(opType) || (to === CAST.int64) ||
      (PASSING.has(opType) && input.some((name) => kinds.get(name) === "other"));
    for (const name of output) kinds.set(name, other ? "other" : "float");
  }
  return kinds;
}

/** Operators whose values are no floats. */
const OTHER = new Set(["Shape", "DynamicQuantizeLinear"]);

/** Operators whose values are of their inputs' kind, where those are shapes. */
const PASSING = new Set(["Mul", "Unsqueeze", "Concat"]);
