/**
 * ComfyUI's schedulers, from their definitions restated. Two things set them apart from diffusers':
 * the table of sigmas is computed in double and rounded at the end (14.614641 where diffusers has 14.614647), and
 * between two entries log σ is interpolated, not σ. The network is told the whole timestep nearest in log σ.
 */

import type { NoiseLevels } from "./noise_levels.ts";

const f32 = Math.fround;

export const COMFY_SPACINGS = ["sgm-uniform", "normal", "simple", "ddim-uniform", "comfy-karras", "sd-turbo"] as const;
export type ComfySpacing = typeof COMFY_SPACINGS[number];

/** Steps that SDTurboScheduler can start from: every hundredth timestep. */
const TURBO_STEPS = 10;

/** Descending sigmas without the final 0. @throws RangeError when so many steps cannot be had */
export function comfySigmas(spacing: ComfySpacing, steps: number, { sigmas }: NoiseLevels): number[] {
  const last = sigmas.length - 1;
  const down = <T>(length: number, at: (i: number) => T) => Array.from({ length }, (_, i) => at(i));
  switch (spacing) {
    case "sgm-uniform": // even timesteps from the highest; the lowest, 0, is left out
      return down(steps, (i) => logSigmaAt(sigmas, f32(last - i * last / steps)));
    case "normal":
      return down(steps, (i) => logSigmaAt(sigmas, f32(steps === 1 ? last : last - i * last / (steps - 1))));
    case "simple":
      return down(steps, (i) => sigmas[last - Math.floor(i * (sigmas.length / steps))]);
    case "ddim-uniform": {
      // From timestep 1 upwards: for some counts (6, 7, 9, …) this gives one step more than asked for, there too.
      const stride = Math.max(Math.floor(sigmas.length / steps), 1);
      return down(Math.ceil(last / stride), (i) => sigmas[1 + i * stride]).reverse();
    }
    case "comfy-karras": {
      const [from, to] = [sigmas[last] ** (1 / 7), sigmas[0] ** (1 / 7)];
      return down(steps, (i) => (from + (steps === 1 ? 0 : i / (steps - 1)) * (to - from)) ** 7);
    }
    case "sd-turbo":
      if (steps > TURBO_STEPS) {
        throw new RangeError(
          `Cannot make sd-turbo spacing of ${steps} steps: it has ${TURBO_STEPS}, 100 timesteps apart.`,
        );
      }
      return down(steps, (i) => sigmas[last - i * 100]);
  }
}

/** σ at a timestep, linear in log σ. */
function logSigmaAt(sigmas: Float32Array, timestep: number): number {
  const low = Math.floor(timestep);
  const w = f32(timestep - low);
  const log = (t: number) => f32(Math.log(sigmas[Math.min(t, sigmas.length - 1)]));
  return f32(Math.exp(f32(f32(f32(1 - w) * log(low)) + f32(w * log(low + 1)))));
}

/** The whole timestep whose log σ is nearest. */
export function nearestTimestep({ sigmas }: NoiseLevels, sigma: number): number {
  const target = f32(Math.log(f32(sigma)));
  let nearest = 0;
  const gap = (t: number) => Math.abs(f32(target - f32(Math.log(sigmas[t]))));
  for (let t = 1; t < sigmas.length; t++) if (gap(t) < gap(nearest)) nearest = t;
  return nearest;
}

/**
 * What ComfyUI multiplies the first noise by: with a full schedule the latent is taken to have had unit variance beneath
 * the noise, √(1 + σ²); a schedule that starts lower gets σ.
 */
export function comfyStart(sigma: number, { sigmas }: NoiseLevels): number {
  const max = sigmas[sigmas.length - 1];
  return sigma >= max * (1 - 1e-5) ? f32(Math.sqrt(1 + sigma * sigma)) : sigma;
}
