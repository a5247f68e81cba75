/** `precision: "int4"`: the weights of the U-Net's linear layers in 4 bits. They are quantised at first use and kept. */

import type { Lowering } from "../graph/builder.ts";
import { BLOCK, type BlockWeight, int4 } from "../graph/int4.ts";
import { layerWeights } from "../graph/int8.ts";
import { buildUnet } from "../graph/unet.ts";
import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { quantizeBlocks } from "../weights/quantize.ts";
import { readWeight } from "../weights/read.ts";
import { shapeOf } from "../weights/weights.ts";
import { keptInFloat32 } from "./int8_layers.ts";
import { cacheFolder, type Form, inForm, refIn } from "./weight_cache.ts";

/** Of the file's layout and the arithmetic behind it: another number is another file. */
const VERSION = 1;

/**
 * The lowering of a U-Net whose linear layers have 4-bit weights. At first use they are quantised, one in memory at a
 * time; later uses read a header. Layers whose rows are no whole blocks stay as they are.
 *
 * @param folder where quantised weights are kept. Default `cacheFolder("int4")`
 * @throws RangeError when a weight is NaN or infinite
 */
export async function int4Unet(
  base: Lowering,
  { architecture, weights }: Part<UnetArchitecture>,
  { folder = cacheFolder("int4") }: { readonly folder?: string } = {},
): Promise<Lowering> {
  const { linear } = layerWeights(base, (lowering) => buildUnet(architecture, weights, { lowering }));
  const refs = linear.filter((ref) => keptInFloat32(ref.key) === undefined && shapeOf(ref)[1] % BLOCK === 0);
  const file = await inForm(BLOCKS_OF_4_BITS, refs, folder);
  const quantized = refs.map(({ key }): [string, BlockWeight] => [
    key,
    { codes: refIn(file, key), scales: refIn(file, scalesOf(key)) },
  ]);
  return int4(base, new Map(quantized));
}

const scalesOf = (key: string): string => `${key}.scales`;

const BLOCKS_OF_4_BITS: Form = {
  version: ["int4", VERSION, BLOCK],
  planned(ref) {
    const [out, inner] = shapeOf(ref);
    return [
      { name: ref.key, dtype: "U8", shape: [out, inner / BLOCK, BLOCK / 2] },
      { name: scalesOf(ref.key), dtype: "F32", shape: [out, inner / BLOCK] },
    ];
  },
  async make(ref) {
    const { codes, scales } = quantizeBlocks(await readWeight(ref), BLOCK, ref.key);
    return [codes, new Uint8Array(scales.buffer)];
  },
};
