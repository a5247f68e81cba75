/**
 * `precision: "fp16"` on a runtime that does not compute in half floats: the U-Net's weights as half floats, which take
 * half the memory of float32, each widened for its layer. What lies in half floats already is taken as it is.
 */

import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { float16FromFloat32 } from "../tensor/half.ts";
import { readWeight } from "../weights/read.ts";
import { shapeOf } from "../weights/weights.ts";
import { cacheFolder, type Form, inForm } from "./weight_cache.ts";

/** Of the file's layout: another number is another file. */
const VERSION = 1;

/** The largest half float. */
const LARGEST = 65504;

/**
 * A U-Net with all its weights in half floats.
 *
 * @param folder where converted weights are kept. Default `cacheFolder("fp16")`
 * @throws RangeError when a weight is beyond a half float's range
 */
export async function halfUnet(
  unet: Part<UnetArchitecture>,
  { folder = cacheFolder("fp16") }: { readonly folder?: string } = {},
): Promise<Part<UnetArchitecture>> {
  const wider = unet.weights.refs.filter(({ dtype }) => dtype === "F32" || dtype === "BF16");
  if (wider.length === 0) return unet;
  return { ...unet, weights: unet.weights.replacedBy(await inForm(HALVES, wider, folder)) };
}

const HALVES: Form = {
  version: ["fp16", VERSION],
  planned: (ref) => [{ name: ref.key, dtype: "F16", shape: shapeOf(ref) }],
  async make(ref) {
    const { data } = await readWeight(ref);
    const bad = data.findIndex((value) => !(Math.abs(value) <= LARGEST));
    if (bad < 0) return [float16FromFloat32(data)];
    throw new RangeError(
      `Cannot keep "${ref.key}" in half floats: it holds ${data[bad]} at index ${bad}, the largest is ${LARGEST}.`,
    );
  },
};
