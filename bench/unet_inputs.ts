/** What a U-Net is given in benchmarks and tests: normals from a seed, the middle timestep. */

import { torchGenerator } from "../lib/tensor/random/mod.ts";
import { sizeOf, Tensor } from "../lib/tensor/tensor.ts";
import type { UnetArchitecture } from "../lib/weights/architecture.ts";

export interface InputOptions {
  /** Default 1. */
  readonly batch?: number;
  /** Of the latent, in its own cells. Default 64: 512 pixels. */
  readonly side?: number;
}

export function inputsOf(unet: UnetArchitecture, { batch = 1, side = 64 }: InputOptions = {}): Record<string, Tensor> {
  let generator = torchGenerator(0);
  const draw = (shape: readonly number[]): Tensor => {
    const { values, next } = generator.randn(sizeOf(shape));
    generator = next;
    return new Tensor(values, shape);
  };
  return {
    sample: draw([batch, 4, side, side]),
    timestep: Tensor.of(Array<number>(batch).fill(500)),
    encoder_hidden_states: draw([batch, 77, unet.crossAttentionDim]),
    text_embeds: draw([batch, unet.additionInputDim - 6 * unet.additionTimeEmbedDim]),
    time_ids: Tensor.stack(Array<Tensor>(batch).fill(Tensor.of([512, 512, 0, 0, 512, 512]))),
  };
}
