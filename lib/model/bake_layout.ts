/** Which tensors a baked file holds, and under which names. */

import type { Shape } from "../tensor/tensor.ts";
import { type AutoencoderArchitecture, isTiny, type VaeArchitecture } from "../weights/architecture.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { resolutionMetadata } from "../weights/infer.ts";
import {
  originalTextEncoder,
  originalTextEncoder2,
  originalUnet,
  originalVae,
  type Stored,
} from "../weights/keys/original_names.ts";
import type { LoraPart } from "../weights/lora.ts";
import { wantToldByShapes } from "../weights/told.ts";
import type { Weights } from "../weights/weights.ts";

/**
 * "file": a whole checkpoint under the original names, as ComfyUI and A1111 read it; "folder": diffusers'; "unet": a
 * U-Net alone under diffusers' names.
 */
export const BAKE_LAYOUTS = ["file", "folder", "unet"] as const;
/**
 * Whose names and files a baked model has: "file", the original names, as ComfyUI and A1111 read it; "folder",
 * diffusers'; "unet", a U-Net alone.
 */
export type BakeLayout = typeof BAKE_LAYOUTS[number];

/** The numbers that a baked file holds. */
export const BAKE_DTYPES = ["fp16", "fp32"] as const;
/**
 * The numbers of a baked file. "fp16" takes half the room of "fp32", which holds half floats of either kind exactly.
 */
export type BakeDType = typeof BAKE_DTYPES[number];

/** A tensor to write, and the network that its parts are in. */
export interface Row extends Stored {
  readonly part: LoraPart | "vae";
}

/** A file of weights. */
export interface BakedFile {
  /** Within a folder; of a single file, empty. */
  readonly name: string;
  readonly rows: readonly Row[];
  /** For its header, beside the format. */
  readonly metadata?: readonly (readonly [key: string, text: string])[];
}

/** @throws RangeError when the layout has no name for a tensor, no place for a network, or cannot tell the model */
export function bakedFiles(checkpoint: Checkpoint, layout: BakeLayout): readonly BakedFile[] {
  const { unet, vae, textEncoder, textEncoder2 } = checkpoint;
  const keysOf = (of: Weights) => of.refs.map(({ key }) => key);
  const named = (part: Row["part"], stored: readonly Stored[]) => stored.map((row): Row => ({ ...row, part }));
  const plain = (part: Row["part"], of: Weights) => named(part, keysOf(of).map((key) => ({ name: key, keys: [key] })));
  switch (layout) {
    case "unet":
      return [{ name: "", rows: plain("unet", unet.weights), metadata: resolutionMetadata(unet.architecture) }];
    case "folder":
      return [
        { name: "unet/diffusion_pytorch_model.safetensors", rows: plain("unet", unet.weights) },
        { name: "vae/diffusion_pytorch_model.safetensors", rows: plain("vae", vae.weights) },
        { name: "text_encoder/model.safetensors", rows: plain("text_encoder", textEncoder.weights) },
        { name: "text_encoder_2/model.safetensors", rows: plain("text_encoder_2", textEncoder2.weights) },
      ];
    case "file":
      wantVae(vae.architecture);
      wantToldByShapes(checkpoint);
      return [{
        name: "",
        metadata: resolutionMetadata(unet.architecture),
        rows: [
          ...named("unet", originalUnet(keysOf(unet.weights), unet.architecture)),
          ...named("vae", originalVae(keysOf(vae.weights), wantVae(vae.architecture))),
          ...named("text_encoder", originalTextEncoder(keysOf(textEncoder.weights))),
          ...named("text_encoder_2", originalTextEncoder2(keysOf(textEncoder2.weights))),
        ],
      }];
  }
}

export function shapeOfRow({ keys, how }: Row, weights: Weights): Shape {
  const [first, ...inner] = weights.shape(keys[0]) ?? [];
  const shape = [first * keys.length, ...inner];
  return how === "transpose" ? shape.toReversed() : how === "unsqueeze" ? [...shape, 1, 1] : shape;
}

function wantVae(vae: AutoencoderArchitecture): VaeArchitecture {
  if (!isTiny(vae)) return vae;
  throw new RangeError(`Cannot bake a tiny autoencoder into a single file: there is no name for it. Bake a folder.`);
}
