/**
 * Which of the training's timesteps a run of few steps visits. Lin et al. 2023 (arXiv 2305.08891), table 2, with
 * diffusers' rounding. All of them descend.
 */

/** ⌊1000/n⌋ apart, from the low end: the highest noise is never visited, which is why few steps look washed out. */
export function leading(steps: number, offset: number, trainTimesteps: number): number[] {
  const ratio = Math.floor(trainTimesteps / steps);
  return descending(steps, (i) => i * ratio + offset);
}

/** 1000/n apart, from the high end, which is always visited: what distilled models are trained on. */
export function trailing(steps: number, trainTimesteps: number): number[] {
  // By index: diffusers' arange in floating point overshoots for 62 of the step counts up to 1000 (first: 61).
  return Array.from({ length: steps }, (_, i) => roundHalfToEven(trainTimesteps * (steps - i) / steps) - 1);
}

/** Both ends and even steps between: fractional. */
export function linspace(steps: number, trainTimesteps: number): number[] {
  const step = steps === 1 ? 0 : (trainTimesteps - 1) / (steps - 1);
  return descending(steps, (i) => Math.fround(i === steps - 1 && steps > 1 ? trainTimesteps - 1 : i * step));
}

/** LCM's distillation took every `trainTimesteps / origin`-th timestep; a run picks evenly among those, from the top. */
export function lcmSpacing(steps: number, trainTimesteps: number, origin = LCM_ORIGIN_STEPS): number[] {
  if (steps > origin) {
    throw new RangeError(
      `Cannot make lcm spacing of ${steps} steps: it picks from the ${origin} that the model was distilled on. ` +
        `Allowed: 1 to ${origin}, or another spacing.`,
    );
  }
  const k = Math.floor(trainTimesteps / origin);
  return Array.from({ length: steps }, (_, i) => (origin - Math.floor(i * (origin / steps))) * k - 1);
}

/** `original_inference_steps` of diffusers' LCMScheduler and TCDScheduler. */
const LCM_ORIGIN_STEPS = 50;

/** Align Your Steps: Sabour et al. 2024 (arXiv 2404.14507), the ten for SDXL; diffusers' `AysSchedules`. */
export const ALIGN_YOUR_STEPS = [999, 845, 730, 587, 443, 310, 193, 116, 53, 13] as const;

function descending(steps: number, at: (i: number) => number): number[] {
  return Array.from({ length: steps }, (_, i) => at(steps - 1 - i));
}

/** numpy's rounding. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
