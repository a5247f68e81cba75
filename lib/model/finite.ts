/** Tensors that hold no picture: refused by name, rather than drawn black; and the layer that they come from. */

import type { Network } from "../graph/builder.ts";
import { PROBED, probed, sourcesOf, valuesOf } from "../graph/rewrite.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** @throws RangeError naming the first value that is NaN or infinite */
export function wantFinite(tensor: Tensor, what: string): void {
  const bad = nonFinite(tensor);
  if (bad >= 0) throw new RangeError(`Cannot go on: ${what} holds ${tensor.data[bad]} at index ${bad}.`);
}

/** Where the first value is that is NaN or infinite; −1 where all are finite. */
function nonFinite({ data }: Tensor): number {
  return data.findIndex((value) => !Number.isFinite(value));
}

/** Values that are looked at in one run: each takes the memory of a layer's output. */
const PROBES = 24;

/**
 * The layer whose values are the first that are not finite. The network is run again with some of its values as outputs,
 * each time between closer ones; then back to a value all of whose sources are finite.
 *
 * @param run loads a network, runs it on the inputs in question and releases it
 * @returns for example `mid_block.resnets.0.conv1`; undefined where this time all is finite
 */
export async function blame(
  network: Network,
  run: (network: Network) => Promise<ReadonlyMap<string, Tensor>>,
): Promise<string | undefined> {
  const faulty = async (values: readonly string[]): Promise<string | undefined> => {
    const outputs = await run(probed(network, values));
    return values.find((value) => {
      const tensor = outputs.get(PROBED + value);
      return tensor !== undefined && nonFinite(tensor) >= 0;
    });
  };
  let candidates = valuesOf(network);
  let found: string | undefined;
  while (candidates.length > 0) {
    const every = Math.max(1, Math.ceil(candidates.length / PROBES));
    const probes = candidates.filter((_, i) => i % every === every - 1 || i === candidates.length - 1);
    const bad = await faulty(probes);
    if (bad === undefined) break;
    found = bad;
    const end = candidates.indexOf(bad);
    candidates = candidates.slice(Math.max(0, end - every + 1), end);
  }
  // Between two probes the network may have had branches: what is bad in them lies further back.
  const known = new Set(valuesOf(network));
  while (found !== undefined) {
    const sources = sourcesOf(network, found).filter((name) => known.has(name));
    const earlier: string | undefined = sources.length === 0 ? undefined : await faulty(sources);
    if (earlier === undefined) return layerOf(found);
    found = earlier;
  }
  return undefined;
}

/** A value is called after its layer and the operator. */
function layerOf(value: string): string {
  return value.replace(/\/[^/]*$/, "");
}
