/** The arithmetic of fusing: W + Σ strength·(alpha/rank)·up·down, one weight at a time, by the runtime. */

import { Graph, type Network } from "../graph/builder.ts";
import { sizeOf, Tensor } from "../tensor/tensor.ts";
import type { LoraModule, LoraPart } from "../weights/lora.ts";
import { readEntry } from "../weights/safetensors.ts";
import { readWeight } from "../weights/read.ts";
import { shapeOf, type WeightRef, type Weights } from "../weights/weights.ts";
import type { LoadedLora } from "./loras.ts";
import type { Runtime, Session } from "./sessions/session.ts";

/** One weight, and what is added to it. */
export interface Change {
  readonly ref: WeightRef;
  readonly modules: readonly { readonly module: LoraModule; readonly strength: number }[];
}

/** What LoRAs change in a part, by diffusers' names. */
export function changesOf(weights: Weights, part: LoraPart, loras: readonly LoadedLora[]): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  for (const { lora, strength } of loras) {
    for (const [key, module] of lora.modules[part]) {
      const ref = weights.ref(key);
      if (ref) changes.set(key, { ref, modules: [...changes.get(key)?.modules ?? [], { module, strength }] });
    }
  }
  return changes;
}

/**
 * The changed weight in float32, the way round that a network sees it: `[out, in]` or `[out, in, k, k]`.
 *
 * @param session of `sumNetwork`
 */
export async function fusedWeight({ ref, modules }: Change, session: Session): Promise<Tensor> {
  const shape = shapeOf(ref);
  const [out] = shape;
  let weight = matrix(await readWeight(ref), out);
  for (const { module: { up, down, scale }, strength } of modules) {
    const rank = down.shape[0];
    const outputs = await session.run({
      weight,
      up: matrix(await readEntry(up.file, up), out),
      down: matrix(await readEntry(down.file, down), rank),
      strength: Tensor.of([strength * scale], []),
    });
    const result = outputs.get("fused");
    if (result === undefined) throw new Error("Cannot fuse: the sum's graph gave nothing.");
    weight = result;
  }
  return weight.reshape(shape);
}

function matrix(tensor: Tensor, rows: number): Tensor {
  return tensor.reshape([rows, sizeOf(tensor.shape) / rows]);
}

/** `fused` = `weight` `[out, in]` + `strength`·`up` `[out, rank]`·`down` `[rank, in]` */
export function sumNetwork({ lowering }: Runtime): Network {
  const none = {
    part: "LoRA sum",
    has: () => false,
    get(key: string): never {
      throw new RangeError(`The LoRA sum has no weight "${key}".`);
    },
  };
  const graph = new Graph({ name: "LoRA sum", weights: none, lowering });
  const g = graph.at("sum");
  const weight = graph.input("weight", "float32", ["out", "in"]);
  const up = graph.input("up", "float32", ["out", "rank"]);
  const down = graph.input("down", "float32", ["rank", "in"]);
  const strength = graph.input("strength", "float32", []);
  // One pass over the large matrix: the strength goes into the small one, the sum into the product.
  graph.output("fused", g.op("Gemm", [up, g.mul(down, strength), weight], 0), ["out", "in"]);
  return graph.finish();
}
