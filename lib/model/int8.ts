/**
 * `precision: "int8"`: the U-Net's linear layers in 8 bits. Their weights are quantised at first use and kept in a cache,
 * in a file that is named by the content of the weights it was made of.
 */

import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Lowering } from "../graph/builder.ts";
import { int8, linearWeights, type QuantizedWeight } from "../graph/int8.ts";
import { buildUnet } from "../graph/unet.ts";
import { formatShape } from "../tensor/tensor.ts";
import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { sha256 } from "../weights/digest.ts";
import { kindOf, makeFolder } from "../weights/files.ts";
import { quantizeRows } from "../weights/quantize.ts";
import { readWeight } from "../weights/read.ts";
import {
  openSafetensors,
  type PlannedTensor,
  type SafetensorsFile,
  streamSafetensors,
} from "../weights/safetensors.ts";
import { shapeOf, type WeightRef } from "../weights/weights.ts";
import { keptInFloat32 } from "./int8_layers.ts";

/** Of the file's layout and the arithmetic behind it: another number is another file. */
const VERSION = 1;

export interface QuantizeOptions {
  /** Where quantised weights are kept. Default `cacheFolder()`. */
  readonly folder?: string;
  /** The largest code. Default `largestCode()`. */
  readonly most?: number;
  /** Which weights, by their keys. Default: all but `FLOAT32_LAYERS`. */
  readonly includes?: (key: string) => boolean;
}

/** `$XDG_CACHE_HOME/fewstep/int8`, by default in `~/.cache`. */
export function cacheFolder(): string {
  return join(Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache"), "fewstep", "int8");
}

/**
 * 127; 63 on x86 processors without VNNI or AMX, whose instruction for 8-bit products adds two of them in 16 bits and
 * cuts off what does not fit.
 * https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "when to try U8U8"
 */
export function largestCode(): number {
  if (Deno.build.arch !== "x86_64") return 127;
  if (Deno.build.os !== "linux") return 63; // nothing tells here, and 7 bits are right everywhere
  return /\b(avx512_vnni|avx_vnni|amx_int8)\b/.test(Deno.readTextFileSync("/proc/cpuinfo")) ? 127 : 63;
}

/**
 * The lowering of a U-Net in 8 bits. At first use its linear layers are quantised, one in memory at a time: about a
 * second for 100 million weights; later uses read a header.
 *
 * @throws RangeError when a weight is NaN or infinite
 */
export async function int8Unet(
  base: Lowering,
  { architecture, weights }: Part<UnetArchitecture>,
  options: QuantizeOptions = {},
): Promise<Lowering> {
  const { folder = cacheFolder(), most = largestCode(), includes = (key) => keptInFloat32(key) === undefined } =
    options;
  const all = linearWeights(base, (lowering) => buildUnet(architecture, weights, { lowering }));
  const refs = all.filter(({ key }) => includes(key));
  const planned = refs.flatMap((ref) => tensorsOf(ref));
  const path = join(folder, `${await nameOf(refs, most)}.safetensors`);
  const kept = await openKept(path, planned);
  if (kept !== undefined) return int8(base, quantizedIn(kept, refs));
  await makeFolder(folder);
  await writeQuantized(path, refs, planned, most);
  return int8(base, quantizedIn(await openSafetensors(path), refs));
}

const scalesOf = (key: string): string => `${key}.scales`;

function tensorsOf(ref: WeightRef): PlannedTensor[] {
  const [out, inner] = shapeOf(ref);
  return [
    { name: ref.key, dtype: "I8", shape: [inner, out] },
    { name: scalesOf(ref.key), dtype: "F32", shape: [out] },
  ];
}

/** By what the weights hold and how they were quantised, not by where they lie: a copy of a file finds the same. */
async function nameOf(refs: readonly WeightRef[], most: number): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([VERSION, most]));
  for (const file of [...new Set(refs.map(({ file }) => file))]) {
    const places = refs.filter((ref) => ref.file === file)
      .map(({ key, dtype, shape, offset, transposed }) => [key, dtype, shape, offset, transposed ?? false]);
    hash.update(JSON.stringify([await sha256(file), places]));
  }
  return hash.digest("hex");
}

/** A file of the cache, or nothing where it is missing or not what was written there. */
async function openKept(path: string, planned: readonly PlannedTensor[]): Promise<SafetensorsFile | undefined> {
  if (await kindOf(path) !== "file") return undefined;
  let file: SafetensorsFile;
  try {
    file = await openSafetensors(path);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut off or overwritten: it is made anew
    throw error;
  }
  const whole = planned.every(({ name, dtype, shape }) => {
    const entry = file.tensors.get(name);
    return entry?.dtype === dtype && formatShape(entry.shape) === formatShape(shape);
  });
  return whole ? file : undefined;
}

async function writeQuantized(
  path: string,
  refs: readonly WeightRef[],
  planned: readonly PlannedTensor[],
  most: number,
): Promise<void> {
  const remaining = refs.values();
  let scales = new Float32Array();
  await streamSafetensors(path, planned, async ({ dtype }) => {
    if (dtype === "F32") return new Uint8Array(scales.buffer); // the scales follow their codes
    const { value: ref } = remaining.next();
    if (ref === undefined) throw new RangeError("Cannot quantise: more tensors were planned than weights given.");
    const quantized = quantizeRows(await readWeight(ref), most, ref.key);
    scales = quantized.scales;
    return new Uint8Array(quantized.codes.buffer);
  });
}

function quantizedIn(file: SafetensorsFile, refs: readonly WeightRef[]): ReadonlyMap<string, QuantizedWeight> {
  const refOf = (name: string): WeightRef => {
    const entry = file.tensors.get(name);
    if (entry === undefined) throw new RangeError(`Cannot use ${file.path}: it has no tensor "${name}".`);
    return { ...entry, key: name, file: file.path };
  };
  return new Map(refs.map(({ key }) => [key, { codes: refOf(key), scales: refOf(scalesOf(key)) }]));
}
