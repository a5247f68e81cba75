/** Classifier-free guidance: Ho and Salimans 2022 (arXiv 2207.12598), equation 6, in diffusers' counting of the scale. */

import type { Tensor } from "../tensor/tensor.ts";

/** Whether a guidance scale runs the network on both halves. As in diffusers, 0 and 1 both mean the prompt alone. */
export function usesGuidance(scale: number): boolean {
  return scale > 1;
}

/**
 * unconditional + scale·(conditional − unconditional).
 * @param unconditional the network's output for the negative prompt, `[batch, 4, height/8, width/8]`
 * @param conditional for the prompt, same shape
 * @param scale above 1; 1 would give `conditional`
 */
export function guided(unconditional: Tensor, conditional: Tensor, scale: number): Tensor {
  const f32 = Math.fround;
  return unconditional.zip(conditional, "guide", (u, c) => u + f32(scale * f32(c - u)));
}
