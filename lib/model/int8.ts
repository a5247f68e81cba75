/**
 * `precision: "int8"`: the U-Net's linear layers and convolutions in 8 bits. Their weights are quantised at first use and
 * kept.
 */

import type { Lowering } from "../graph/builder.ts";
import { channelsLast, int8, layerWeights, type QuantizedWeight } from "../graph/int8.ts";
import { buildUnet } from "../graph/unet.ts";
import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { readProc } from "../measure/proc.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { quantizeRows } from "../weights/quantize.ts";
import { readWeight } from "../weights/read.ts";
import { shapeOf } from "../weights/weights.ts";
import { keptInFloat32 } from "./int8_layers.ts";
import { cacheFolder, type Form, inForm, refIn } from "./weight_cache.ts";

/** Of the file's layout and the arithmetic behind it: another number is another file. */
const VERSION = 2;

export interface QuantizeOptions {
  /** Where quantised weights are kept. Default `cacheFolder("int8")`. */
  readonly folder?: string;
  /** The largest code. Default `largestCode()`. */
  readonly most?: number;
  /** Which weights, by their keys. Default: all but `FLOAT32_LAYERS`. */
  readonly includes?: (key: string) => boolean;
}

/**
 * 127; 63 on x86 processors without VNNI or AMX, whose instruction for 8-bit products adds two of them in 16 bits and
 * cuts off what does not fit.
 * https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "when to try U8U8"
 */
export function largestCode(): number {
  if (Deno.build.arch !== "x86_64") return 127;
  if (Deno.build.os !== "linux") return 63; // nothing tells here, and 7 bits are right everywhere
  return /\b(avx512_vnni|avx_vnni|amx_int8)\b/.test(readProc("/proc/cpuinfo") ?? "") ? 127 : 63;
}

/**
 * The lowering of a U-Net in 8 bits. At first use its layers are quantised, one in memory at a time: about a
 * second for 100 million weights; later uses read a header.
 *
 * @throws RangeError when a weight is NaN or infinite
 */
export async function int8Unet(
  base: Lowering,
  { architecture, weights }: Part<UnetArchitecture>,
  options: QuantizeOptions = {},
): Promise<Lowering> {
  const { folder = cacheFolder("int8"), most = largestCode(), includes = (key) => keptInFloat32(key) === undefined } =
    options;
  const { linear, convolutions } = layerWeights(base, (lowering) => buildUnet(architecture, weights, { lowering }));
  const refs = [...linear, ...convolutions].filter(({ key }) => includes(key));
  const file = await inForm(rowsIn8Bits(most), refs, folder);
  const quantized = refs.map(({ key }): [string, QuantizedWeight] => [
    key,
    { codes: refIn(file, key), scales: refIn(file, scalesOf(key)) },
  ]);
  return int8(base, new Map(quantized));
}

const scalesOf = (key: string): string => `${key}.scales`;

function rowsIn8Bits(most: number): Form {
  return {
    version: [VERSION, most],
    planned(ref) {
      const [out] = shapeOf(ref);
      return [
        { name: ref.key, dtype: "I8", shape: [sizeOf(ref.shape) / out, out] },
        { name: scalesOf(ref.key), dtype: "F32", shape: [out] },
      ];
    },
    async make(ref) {
      const weight = await readWeight(ref);
      const rows = weight.shape.length === 4 ? channelsLast(weight) : weight;
      const { codes, scales } = quantizeRows(rows, most, ref.key);
      return [new Uint8Array(codes.buffer), new Uint8Array(scales.buffer)];
    },
  };
}
