/** A finished network, written another way: with sizes that are known, with more outputs. */

import type { NodeProto } from "./onnx/onnx_pb.ts";
import { CAST, modelBytes, type Network, node, partsOf, type Port } from "./proto.ts";
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

/** Operators whose values are of their inputs' kind, where those are shapes or codes. */
const PASSING = new Set(["Mul", "Unsqueeze", "Concat", "Transpose", "Pad", "Slice"]);
