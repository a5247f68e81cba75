/** Classifier-free guidance: Ho and Salimans 2022 (arXiv 2207.12598), equation 6, in diffusers' counting of the scale. */

import { zipped } from "../tensor/elementwise.ts";
import { sizeOf, Tensor } from "../tensor/tensor.ts";
import type { Trajectory } from "./contract.ts";

/** Whether a guidance scale runs the network on both halves. As in diffusers, 0 and 1 both mean the prompt alone. */
export function usesGuidance(scale: number): boolean {
  return scale > 1;
}

/**
 * The scale at one step: the trajectory's, or 1 (the prompt alone) outside its interval of noise levels.
 * Kynkäänniemi et al. 2024 (arXiv 2404.07724): guidance helps in the middle, and harms at high noise.
 */
export function guidanceAt({ guidance, guidanceInterval, schedule }: Trajectory, index: number): number {
  if (guidanceInterval === undefined) return guidance;
  const [low, high] = [guidanceInterval.from, guidanceInterval.to].sort((a, b) => a - b);
  const sigma = schedule.sigmas[index];
  return sigma >= low && sigma <= high ? guidance : Math.min(guidance, 1);
}

/**
 * unconditional + scale·(conditional − unconditional).
 * @param unconditional the network's output for the negative prompt, `[batch, 4, height/8, width/8]`
 * @param conditional for the prompt, same shape
 * @param scale above 1; 1 would give `conditional`
 * @param rescale 0 … 1, how much of the contrast that guidance adds is taken back. Default 0, diffusers' too
 */
export function guided(unconditional: Tensor, conditional: Tensor, scale: number, rescale = 0): Tensor {
  const f32 = Math.fround;
  const output = zipped("guide", unconditional, conditional, (out, u, c) => {
    for (let i = 0; i < out.length; i++) out[i] = u[i] + f32(scale * f32(c[i] - u[i]));
  });
  return rescale === 0 ? output : rescaled(output, conditional, rescale);
}

/** Lin et al. 2023 (arXiv 2305.08891), section 3.4: each picture's standard deviation goes back to the prompt's own. */
function rescaled(output: Tensor, conditional: Tensor, rescale: number): Tensor {
  const [batch = 1] = output.shape;
  const rows = Array.from({ length: batch }, (_, i) => {
    const row = output.at(i);
    const factor = deviation(conditional.at(i)) / deviation(row);
    return row.times(rescale * factor + (1 - rescale));
  });
  return Tensor.stack(rows);
}

/** With n − 1 in the denominator, as torch's. */
function deviation({ data, shape }: Tensor): number {
  const count = sizeOf(shape);
  let mean = 0;
  for (const value of data) mean += value / count;
  let sum = 0;
  for (const value of data) sum += (value - mean) ** 2;
  return Math.sqrt(sum / (count - 1));
}

/**
 * A guidance scale as the input of a U-Net that was distilled with it (`time_cond_proj_dim`), `[1, dimension]`:
 * sines, then cosines. Luo et al. 2023 (arXiv 2310.04378); diffusers' `get_guidance_scale_embedding` of scale − 1.
 * @param dimension the U-Net's `time_cond_proj_dim`, 256 in lcm-sdxl
 */
export function guidanceEmbedding(scale: number, dimension: number): Tensor {
  const half = Math.floor(dimension / 2);
  const values = new Float32Array(dimension);
  for (let i = 0; i < half; i++) {
    const angle = (scale - 1) * 1000 * Math.exp(-Math.log(10000) * i / (half - 1));
    values[i] = Math.sin(angle);
    values[half + i] = Math.cos(angle);
  }
  return new Tensor(values, [1, dimension]);
}
