/** Latents without a VAE: as colours by a linear fit, and channel by channel as heat maps. */

import { formatShape, Tensor } from "../tensor/tensor.ts";
import { type AutoencoderArchitecture, isTiny } from "../weights/architecture.ts";
import type { Plane } from "./heat.ts";
import factors from "./latent_rgb.json" with { type: "json" };

/** Turns latents into pictures. A Model is one. */
export interface Decoder {
  /** `[batch, 4, height/8, width/8]` to `[batch, 3, height, width]` in 0..1. */
  decode(latent: Tensor): Promise<Tensor>;
}

/** A linear map from the four channels of a latent to red, green and blue in −1..1. */
export interface LatentColors {
  /** One row a latent channel, `[4][3]`. */
  readonly matrix: readonly (readonly number[])[];
  /** `[3]` */
  readonly bias: readonly number[];
  /** Where the numbers come from. */
  readonly origin: string;
}

/** The VAEs whose latents the kit knows as colours. */
export type LatentSpace = keyof typeof factors;

export const latentSpaces: Readonly<Record<LatentSpace, LatentColors & { readonly widths: readonly number[] }>> =
  factors;

/**
 * The space of a VAE's latents, told by the widths of its levels (the scaling factor is SDXL's in all that follow it);
 * SDXL's for one that the kit has no fit of, and for a tiny autoencoder, which does not say whose latents it reads.
 */
export function latentSpaceOf(vae: AutoencoderArchitecture): LatentSpace {
  const { widths } = latentSpaces.pocket;
  const same = !isTiny(vae) && vae.blockOutChannels.length === widths.length &&
    vae.blockOutChannels.every((width, level) => width === widths[level]);
  return same ? "pocket" : "sdxl";
}

/**
 * A small picture of a latent, a pixel a value: `[batch, 4, h, w]` to `[batch, 3, h, w]` in about 0..1.
 * Costs microseconds where the VAE costs seconds, and shows colours and layout.
 */
export function latentToRgb(latent: Tensor, space: LatentSpace = "sdxl"): Tensor {
  const [batch, channels, height, width] = latent.shape;
  if (latent.shape.length !== 4 || channels !== 4) {
    throw new RangeError(
      `Cannot colour a latent ${formatShape(latent.shape)}: [batch, 4, height/8, width/8] was wanted.`,
    );
  }
  const { matrix, bias } = latentSpaces[space];
  const size = height * width;
  const out = new Float32Array(batch * 3 * size);
  for (let picture = 0; picture < batch; picture++) {
    for (let color = 0; color < 3; color++) {
      for (let pixel = 0; pixel < size; pixel++) {
        let value = bias[color];
        for (let channel = 0; channel < 4; channel++) {
          value += latent.data[(picture * 4 + channel) * size + pixel] * matrix[channel][color];
        }
        out[(picture * 3 + color) * size + pixel] = (value + 1) / 2;
      }
    }
  }
  return new Tensor(out, [batch, 3, height, width]);
}

/** The channels of the first latent of a batch, each a plane. @param latent `[batch, channels, h, w]` */
export function channelPlanes(latent: Tensor): Plane[] {
  const [, channels, height, width] = latent.shape;
  const first = latent.at(0);
  return Array.from({ length: channels }, (_, channel) => ({ width, height, values: first.at(channel).data }));
}

/** The largest finite magnitude, by which heat maps of one latent share a scale. */
export function largest({ data }: { readonly data: Float32Array }): number {
  let most = 0;
  for (const value of data) {
    const magnitude = Math.abs(value);
    if (magnitude > most && magnitude < Infinity) most = magnitude; // NaN is neither
  }
  return most;
}
