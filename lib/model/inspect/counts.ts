/** Sums over the headers of files. */

import { sizeOf } from "../../tensor/tensor.ts";
import type { TensorEntry } from "../../weights/safetensors.ts";
import type { WeightRef } from "../../weights/weights.ts";
import type { BlockCount, DTypeCount } from "./inspection.ts";

/** What is stored in each element type, the most parameters first. */
export function countDTypes(entries: readonly TensorEntry[]): readonly DTypeCount[] {
  const counts = new Map<string, DTypeCount>();
  for (const { dtype, shape } of entries) {
    const { tensors, parameters } = counts.get(dtype) ?? { tensors: 0, parameters: 0 };
    counts.set(dtype, { dtype, tensors: tensors + 1, parameters: parameters + sizeOf(shape) });
  }
  return [...counts.values()].sort((a, b) => b.parameters - a.parameters);
}

/** The order in which the U-Net runs. */
const ORDER = ["conv_in", "time_embedding", "add_embedding", "down_blocks", "mid_block", "up_blocks"];

/** Parameters of each block of a U-Net; what stands outside the blocks under its layer's own name. */
export function countBlocks(refs: readonly WeightRef[]): readonly BlockCount[] {
  const counts = new Map<string, number>();
  for (const { key, shape } of refs) {
    const [name] = key.match(/^(?:down|up)_blocks\.\d+|^[^.]+/) ?? [key];
    counts.set(name, (counts.get(name) ?? 0) + sizeOf(shape));
  }
  const place = (name: string) => {
    const at = ORDER.indexOf(name.replace(/\.\d+$/, ""));
    return at === -1 ? ORDER.length : at;
  };
  return [...counts].map(([name, parameters]) => ({ name, parameters }))
    .sort((a, b) => place(a.name) - place(b.name) || a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** Header entries that say what the weights are; the rest is the training's log, often of megabytes. */
const TELLING =
  /^(modelspec\.(?!thumbnail|hash)|ss_(base_model_version|sd_model_name|output_name|network_|v2$|v_param))/;
const LONGEST = 200;

export function remarks(metadata: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const telling = [...metadata].filter(([key, text]) => TELLING.test(key) && text !== "");
  return Object.fromEntries(
    telling.map(([key, text]): [string, string] => [
      key,
      text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`,
    ]),
  );
}
