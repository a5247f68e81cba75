/** What a U-Net is given in the benchmarks: normals from a seed, latents 64×64, the middle timestep. */

import { torchGenerator } from "../lib/tensor/random/mod.ts";
import { sizeOf, Tensor } from "../lib/tensor/tensor.ts";
import type { UnetArchitecture } from "../lib/weights/architecture.ts";

export function inputsOf(unet: UnetArchitecture): Record<string, Tensor> {
  let generator = torchGenerator(0);
  const draw = (shape: readonly number[]): Tensor => {
    const { values, next } = generator.randn(sizeOf(shape));
    generator = next;
    return new Tensor(values, shape);
  };
  return {
    sample: draw([1, 4, 64, 64]),
    timestep: Tensor.of([500]),
    encoder_hidden_states: draw([1, 77, unet.crossAttentionDim]),
    text_embeds: draw([1, unet.additionInputDim - 6 * unet.additionTimeEmbedDim]),
    time_ids: Tensor.of([512, 512, 0, 0, 512, 512], [1, 6]),
  };
}
