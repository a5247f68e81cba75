/**
 * The noise levels that a model was trained on: betas become the table of ᾱ and of σ = √((1 − ᾱ)/ᾱ), one per
 * training timestep. Ho et al. 2020 (arXiv 2006.11239) for ᾱ, Karras et al. 2022 (arXiv 2206.00364) for σ.
 *
 * Every value is rounded to float32 where diffusers' own is, since a model is called with those: sigmas then agree
 * with diffusers' to 1 ulp. In double they would be off by up to 1.3e-5 at the lowest timestep.
 */

import type { SchedulerConfig } from "./scheduler_config.ts";

const f32 = Math.fround;

export interface NoiseLevels {
  /** ᾱ by training timestep, descending from about 1. */
  readonly alphasCumprod: Float32Array;
  /** σ by training timestep, ascending. */
  readonly sigmas: Float32Array;
}

/** @throws never: a config that was parsed has betas between 0 and 1 */
export function noiseLevels(config: SchedulerConfig): NoiseLevels {
  let betas = betasOf(config);
  if (config.rescaleBetasZeroSnr) betas = rescaledToZeroTerminalSnr(betas);
  const alphasCumprod = cumulativeProduct(betas.map((beta) => 1 - beta));
  // diffusers' smallest ᾱ: with 0 the first sigma would be infinite. 2⁻²⁴ is the smallest fp16.
  if (config.rescaleBetasZeroSnr) alphasCumprod[alphasCumprod.length - 1] = 2 ** -24;
  const sigmas = alphasCumprod.map((alpha) => Math.sqrt(f32(f32(1 - alpha) / alpha)));
  // torch's square root rounds this one up. One ulp here would move the next latent by 4e-5 of its size.
  if (config.rescaleBetasZeroSnr) sigmas[sigmas.length - 1] = 2 ** 12;
  return { alphasCumprod, sigmas };
}

/** The same in double, rounded once at the end, as ComfyUI has it. Zero terminal SNR: as above, there is only one way. */
export function noiseLevelsInDouble(config: SchedulerConfig): NoiseLevels {
  const { betaStart, betaEnd, trainTimesteps, betaSchedule } = config;
  if (config.rescaleBetasZeroSnr || config.trainedBetas || betaSchedule === "squaredcos_cap_v2") {
    return noiseLevels(config);
  }
  const root = betaSchedule === "scaled_linear" ? Math.sqrt : (beta: number) => beta;
  const square = betaSchedule === "scaled_linear" ? (beta: number) => beta * beta : (beta: number) => beta;
  const [from, to] = [root(betaStart), root(betaEnd)];
  let product = 1;
  const alphasCumprod = Float64Array.from({ length: trainTimesteps }, (_, t) => {
    const step = (to - from) / (trainTimesteps - 1);
    return product *= 1 - square(t < trainTimesteps / 2 ? from + step * t : to - step * (trainTimesteps - 1 - t));
  });
  const sigmas = Float32Array.from(alphasCumprod, (alpha) => Math.sqrt((1 - alpha) / alpha));
  return { alphasCumprod: new Float32Array(alphasCumprod), sigmas };
}

/** σ at any timestep, fractional too: linear between its neighbours, constant beyond the ends, as `numpy.interp`. */
export function sigmaAt(sigmas: Float32Array, timestep: number): number {
  const last = sigmas.length - 1;
  const low = Math.min(Math.max(Math.floor(timestep), 0), last);
  if (low === last || timestep <= 0) return sigmas[low];
  return sigmas[low] + (sigmas[low + 1] - sigmas[low]) * (timestep - low);
}

/** The timestep of any σ: linear in log σ between its neighbours, clamped at the ends. k-diffusion's `sigma_to_t`. */
export function timestepAt(sigmas: Float32Array, sigma: number): number {
  const above = sigmas.findIndex((value) => value > sigma);
  const low = Math.min(Math.max((above === -1 ? sigmas.length : above) - 1, 0), sigmas.length - 2);
  const [from, to] = [f32(Math.log(sigmas[low])), f32(Math.log(sigmas[low + 1]))];
  const w = (Math.log(Math.max(sigma, 1e-10)) - from) / (to - from);
  return low + Math.min(Math.max(w, 0), 1);
}

function betasOf(config: SchedulerConfig): Float32Array {
  const { betaStart, betaEnd, trainTimesteps } = config;
  if (config.trainedBetas !== undefined) return Float32Array.from(config.trainedBetas);
  switch (config.betaSchedule) {
    case "linear":
      return linspace(betaStart, betaEnd, trainTimesteps);
    case "scaled_linear":
      return linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainTimesteps).map((root) => root * root);
    case "squaredcos_cap_v2":
      return Float32Array.from({ length: trainTimesteps }, (_, t) => {
        const ratio = alphaBarOfCosine((t + 1) / trainTimesteps) / alphaBarOfCosine(t / trainTimesteps);
        return Math.min(1 - ratio, 0.999);
      });
  }
}

/** Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17. */
function alphaBarOfCosine(t: number): number {
  return Math.cos((t + 0.008) / 1.008 * Math.PI / 2) ** 2;
}

/** torch's float32 linspace: the first half counts from the start, the second back from the end, each fused. */
function linspace(start: number, end: number, count: number): Float32Array {
  const [from, to] = [f32(start), f32(end)];
  const step = f32(f32(to - from) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) =>
    // In double the product is exact, so that rounding once at the end is a fused multiply-add.
    i < count / 2 ? from + step * i : to - step * (count - 1 - i));
}

/** torch keeps the running product in double and rounds what it stores. */
function cumulativeProduct(values: Float32Array): Float32Array<ArrayBuffer> {
  let product = 1;
  return Float32Array.from(values, (value) => product *= value);
}

/** Lin et al. 2023 (arXiv 2305.08891), algorithm 1: √ᾱ shifted and stretched so that the last is 0, the first stays. */
function rescaledToZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeProduct(betas.map((beta) => 1 - beta)).map(Math.sqrt);
  const [first, last] = [roots[0], roots[roots.length - 1]];
  const stretch = f32(first / f32(first - last));
  const alphasBar = roots.map((root) => f32(f32(root - last) * stretch) ** 2);
  return alphasBar.map((alphaBar, t) => 1 - (t === 0 ? alphaBar : f32(alphaBar / alphasBar[t - 1])));
}
