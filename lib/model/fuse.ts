/**
 * LoRAs fused: W + Σ strength·(alpha/rank)·up·down (Hu et al. 2021, arXiv 2106.09685, section 4.1), computed in float32
 * tensor by tensor and kept in a file of their own, from which the runtime maps them like any others.
 */

import { join } from "node:path";
import { Graph } from "../graph/builder.ts";
import { formatShape, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { LoraModule, LoraPart } from "../weights/lora.ts";
import { openSafetensors, type PlannedTensor, readEntry, streamSafetensors } from "../weights/safetensors.ts";
import { shapeOf, type WeightRef, type Weights } from "../weights/weights.ts";
import type { LoadedLora } from "./loras.ts";
import type { Runtime, Session } from "./sessions/session.ts";

/** A checkpoint whose weights have LoRAs in them. */
export interface Fused {
  readonly checkpoint: Checkpoint;
  /** Removes the file of fused weights, once no session maps it. */
  discard(): Promise<void>;
}

/** One weight, and what is added to it. */
interface Change {
  readonly ref: WeightRef;
  readonly modules: readonly { readonly module: LoraModule; readonly strength: number }[];
}

/**
 * Fuses LoRAs into a checkpoint. One tensor is in memory at a time; the file, in the system's temporary folder, has
 * the size of the changed weights in float32.
 */
export async function fuse(checkpoint: Checkpoint, loras: readonly LoadedLora[], runtime: Runtime): Promise<Fused> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-fused-" });
  const discard = () => Deno.remove(folder, { recursive: true });
  const session = await runtime.load(sumNetwork(runtime));
  try {
    const fused = async <P extends { readonly weights: Weights }>(part: P, name: LoraPart): Promise<P> => {
      const changes = changesOf(part.weights, name, loras);
      if (changes.size === 0) return part;
      const path = join(folder, `${name}.safetensors`);
      await writeFused(path, changes, session);
      return { ...part, weights: part.weights.replacedBy(await openSafetensors(await Deno.realPath(path))) };
    };
    return {
      checkpoint: {
        ...checkpoint,
        unet: await fused(checkpoint.unet, "unet"),
        textEncoder: await fused(checkpoint.textEncoder, "text_encoder"),
        textEncoder2: await fused(checkpoint.textEncoder2, "text_encoder_2"),
      },
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  } finally {
    await session.release();
  }
}

function changesOf(weights: Weights, part: LoraPart, loras: readonly LoadedLora[]): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  for (const { lora, strength } of loras) {
    for (const [key, module] of lora.modules[part]) {
      const ref = weights.ref(key);
      if (ref) changes.set(key, { ref, modules: [...changes.get(key)?.modules ?? [], { module, strength }] });
    }
  }
  return changes;
}

async function writeFused(path: string, changes: ReadonlyMap<string, Change>, session: Session): Promise<void> {
  const planned = [...changes].map(([name, { ref }]): PlannedTensor => ({ name, dtype: "F32", shape: shapeOf(ref) }));
  await streamSafetensors(path, planned, async ({ name }) => {
    const change = changes.get(name);
    if (change === undefined) throw new RangeError(`Cannot fuse "${name}": it is not among the changes.`);
    const { data } = await sum(change, session);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
}

/** The changed weight, `[out, in]` or `[out, in, k, k]`. */
async function sum({ ref, modules }: Change, session: Session): Promise<Tensor> {
  const shape = shapeOf(ref);
  const [out] = shape;
  let weight = matrix(upright(await readEntry(ref.file, ref), ref), out);
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

/** A tensor that lies transposed in its file, the way round that a network sees it. */
function upright(tensor: Tensor, ref: WeightRef): Tensor {
  if (!ref.transposed) return tensor;
  const [rows, columns]: Shape = tensor.shape;
  if (tensor.shape.length !== 2) {
    throw new RangeError(`Cannot transpose ${formatShape(tensor.shape)}: wanted is a matrix.`);
  }
  const data = new Float32Array(tensor.data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[j * rows + i] = tensor.data[i * columns + j];
  return new Tensor(data, [columns, rows]);
}

/** `fused` = `weight` `[out, in]` + `strength`·`up` `[out, rank]`·`down` `[rank, in]` */
function sumNetwork({ lowering }: Runtime) {
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
  const delta = g.mul(g.op("MatMul", [up, down], 0), strength);
  graph.output("fused", g.add(weight, delta), ["out", "in"]);
  return graph.finish();
}
