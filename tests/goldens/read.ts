/** Opens goldens: the JSON ones, and the safetensors ones as tensors by name. */

import { Tensor } from "../../lib/tensor/tensor.ts";

const FOLDER = new URL("../../data/goldens/", import.meta.url);

/** The file as its script wrote it; each test names the type that it reads. */
export function readJson<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
}

export function goldenPath(name: string): string {
  return decodeURIComponent(new URL(name, FOLDER).pathname);
}

export interface Golden {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The tensor of that name. @throws Error where there is none, so that a test never compares nothing. */
  get(name: string): Tensor;
  /** The metadata key `fewstep`, parsed. */
  readonly fewstep: Readonly<Record<string, unknown>>;
}

/** Goldens are float32 and int64 only; these stay below 2⁵³. */
export function readGolden(name: string): Golden {
  const bytes = Deno.readFileSync(new URL(name, FOLDER));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = new Map<string, Tensor>();
  for (
    const [key, entry] of Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header)
  ) {
    if (key === "__metadata__") continue;
    const [start, end] = entry.data_offsets;
    const buffer = bytes.slice(8 + length + start, 8 + length + end).buffer;
    const values = entry.dtype === "F32" ? new Float32Array(buffer) : Array.from(new BigInt64Array(buffer), Number);
    tensors.set(key, Tensor.of(values, entry.shape));
  }
  return {
    tensors,
    get(key) {
      const tensor = tensors.get(key);
      if (tensor === undefined) throw new Error(`Golden ${name} holds no ${key}: ${[...tensors.keys()].join(", ")}`);
      return tensor;
    },
    fewstep: JSON.parse(header.__metadata__.fewstep),
  };
}
