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

/** What `pattern` matches of each file's name that it fits. */
export function goldensNamed(pattern: RegExp): string[] {
  const names = [...Deno.readDirSync(FOLDER)].flatMap(({ name }) => name.match(pattern)?.[0] ?? []);
  return names.sort();
}

export interface Golden {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The tensor of that name. @throws Error where there is none, so that a test never compares nothing. */
  get(name: string): Tensor;
  /** Of `prediction`, `denoised` or `latents` the one of a step; undefined where a long run's golden left it out. */
  row(name: string, step: number): Tensor | undefined;
  /** An int64 tensor, whose values float32 could not hold. */
  integers(name: string): readonly number[];
  /** What was asked for, of the goldens that are runs. */
  readonly request: {
    readonly steps: number;
    readonly recipe?: string;
    /** The file of the pocket family that made it. */
    readonly weights?: string;
    /** Of a long run: the steps, and the latents, that were kept. Left out: all. */
    readonly kept?: { readonly steps: readonly number[]; readonly latents: readonly number[] };
  };
}

interface Entry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: readonly [number, number];
}

/** Goldens are float32, and int64 below 2⁵³. */
export function readGolden(name: string): Golden {
  const bytes = Deno.readFileSync(new URL(name, FOLDER));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = new Map<string, Tensor>();
  const integers = new Map<string, number[]>();
  for (const [key, { dtype, shape, data_offsets: [start, end] }] of Object.entries<Entry>(entries)) {
    const { buffer } = bytes.slice(8 + length + start, 8 + length + end);
    if (dtype === "I64") integers.set(key, Array.from(new BigInt64Array(buffer), Number));
    else tensors.set(key, new Tensor(new Float32Array(buffer), shape));
  }
  const find = <T>(map: ReadonlyMap<string, T>, key: string): T => {
    const value = map.get(key);
    if (value === undefined) throw new Error(`Golden ${name} holds no ${key}, but ${[...map.keys()].join(", ")}.`);
    return value;
  };
  const { request }: Pick<Golden, "request"> = JSON.parse(metadata.fewstep);
  return {
    tensors,
    get: (key) => find(tensors, key),
    row(key, step) {
      const kept = request?.kept?.[key === "latents" ? "latents" : "steps"];
      const place = kept === undefined ? step : kept.indexOf(step);
      return place < 0 ? undefined : find(tensors, key).at(place);
    },
    integers: (key) => find(integers, key),
    request,
  };
}
