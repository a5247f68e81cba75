/** What most likely makes two runs differ where they first do. Each guess is tested on the numbers where that can be. */

import { noiseByHabit, type NoiseHabit } from "../tensor/random/habits.ts";
import { formatShape, type Tensor } from "../tensor/tensor.ts";
import type { Difference, Run } from "./difference.ts";
import { SPACINGS } from "./contract.ts";
import { scheduleOf } from "./schedule.ts";
import { SDXL_SCHEDULER } from "./scheduler_config.ts";

/** A difference of this size is what fp16 or bf16 leaves of a float32 number. */
const HALF = { least: 1e-5, most: 3e-2 };

export function causeOf(first: Difference, a: Run, b: Run): string {
  const [x, y] = [a, b].map(({ tensors }) => tensors.get(first.key));
  if (x === undefined || y === undefined) return "";
  if (formatShape(x.shape) !== formatShape(y.shape)) {
    return `${first.key} is ${formatShape(x.shape)} in ${a.name} and ${formatShape(y.shape)} in ${b.name}: ` +
      `another picture size, batch, number of steps or model.`;
  }
  if (first.key === "noise") return ofNoise(x, y, a, b);
  if (first.key.endsWith("embeds")) return ofEmbeddings(first, x, y, a, b);
  if (first.key === "timesteps") return ofTimesteps(x, y, a, b);
  if (first.key === "sigmas") return ofSigmas(first, a, b);
  if (first.key === "image") {
    return "The latents agree, the picture does not: another VAE, its precision, or its scaling factor.";
  }
  return ofStep(first, a, b);
}

/** Who draws the noise of a batch so: tried on the seeds that either run tells. */
const HABITS: readonly (readonly [name: string, habit: NoiseHabit, device: "cpu" | "cuda"])[] = [
  ["torch's CPU generator, one per picture (diffusers with CPU generators)", "each-own", "cpu"],
  ["torch's CUDA generator, one per picture (diffusers with CUDA generators)", "each-own", "cuda"],
  ["torch's CPU generator, one for the whole batch (ComfyUI)", "one-stream", "cpu"],
  ["torch's CUDA generator, one for the whole batch (diffusers with one CUDA generator)", "one-stream", "cuda"],
  ["torch's CUDA generator, the seed counted up by one per picture (A1111)", "counted-up", "cuda"],
  ["torch's CPU generator, the seed counted up by one per picture (A1111 set to CPU)", "counted-up", "cpu"],
];

function ofNoise(x: Tensor, y: Tensor, a: Run, b: Run): string {
  const [batch = 1, ...shape] = x.shape;
  const told = [a.seeds ?? [], b.seeds ?? []].filter((seeds) => seeds.length > 0);
  const habitOf = (noise: Tensor) =>
    HABITS.find(([, habit, device]) =>
      told.some((seeds) =>
        (habit !== "each-own" || seeds.length === batch) &&
        // In half precision too.
        relativeL2(noiseByHabit(habit, seeds, shape, { batch, device }), noise) < 1e-3
      )
    )?.[0];
  const [habitX, habitY] = [habitOf(x), habitOf(y)];
  if (habitX !== undefined && habitY !== undefined && habitX !== habitY) {
    return `The seed is the same, the random stream is not: ${a.name} drew from ${habitX}, ${b.name} from ${habitY}.`;
  }
  const error = relativeL2(x, y);
  if (error < HALF.most) return "The same noise in another precision: one of them was drawn or kept in half precision.";
  const ratio = dot(x, y) / dot(y, y);
  if (relativeL2(x, y.times(ratio)) < HALF.most) {
    return `The same noise, but ${a.name}'s is ${short(ratio)} times ${b.name}'s: one of them was saved after scaling.`;
  }
  return "Unrelated noise: another seed, or a random generator of another kind (CPU against GPU, one per picture against one for all).";
}

function ofEmbeddings(first: Difference, x: Tensor, y: Tensor, a: Run, b: Run): string {
  const zero = [x, y].findIndex(({ data }) => data.every((value) => value === 0));
  if (zero >= 0) {
    const [with0, without] = zero === 0 ? [a, b] : [b, a];
    return `${with0.name} has zeros for the prompt that was left out (diffusers' force_zeros_for_empty_prompt), ` +
      `${without.name} encoded it as an empty text (as ComfyUI does).`;
  }
  if (first.relativeL2 < HALF.most) return "The same text in another precision of the text encoders.";
  return "Another text, or the same one cut, weighted or taken from another layer (clip skip), or other text encoders.";
}

function ofTimesteps(x: Tensor, y: Tensor, a: Run, b: Run): string {
  const spacingOf = ({ data }: Tensor) =>
    SPACINGS.find((spacing) => {
      if (data.length > (spacing === "sd-turbo" ? 10 : spacing === "lcm" ? 50 : 1000) || data.length === 0) {
        return false;
      }
      const { timesteps } = scheduleOf(SDXL_SCHEDULER, { steps: data.length, spacing });
      return timesteps.length === data.length && timesteps.every((t, i) => Math.abs(t - data[i]) < 1e-2);
    });
  const [spacingX, spacingY] = [spacingOf(x) ?? "no known", spacingOf(y) ?? "no known"];
  const named = spacingX === spacingY ? "" : `: ${a.name} is on ${spacingX} spacing, ${b.name} on ${spacingY}`;
  const at = x.data.findIndex((t, i) => t !== y.data[i]);
  return `The network is told other timesteps${named}. At step ${at + 1}: ${short(x.data[at])} and ${
    short(y.data[at])
  }.`;
}

function ofSigmas(first: Difference, a: Run, b: Run): string {
  if (first.relativeL2 < 1e-4) {
    return "The same schedule from two tables: ComfyUI computes its sigmas in double, diffusers in float32.";
  }
  return `The timesteps agree, the noise levels do not: ${a.name} and ${b.name} interpolate between the levels of the training ` +
    `in other ways, lay them out anew (karras), or were trained on others.`;
}

function ofStep({ key, step = 0, relativeL2: error }: Difference, a: Run, b: Run): string {
  if (key === "latents" && step === 0) return ofStart(a, b);
  const precise = error < HALF.most ? " The difference is small enough for another precision or another device." : "";
  if (key === "prediction") {
    const seen = step === 0 ? "the same noise, text and timestep" : `the same latent before step ${step + 1}`;
    return `From ${seen} the network gives something else: other weights (a LoRA, a merge), another guidance scale, or other ` +
      `size conditioning.${precise}`;
  }
  if (key === "denoised") {
    return `The network's output at step ${
      step + 1
    } agrees, the picture read from it does not: another prediction type ` +
      `(epsilon, v, sample), or a sampler that refines it (LCM).${precise}`;
  }
  const told = ["prediction", "denoised"].some((key) => a.tensors.has(key) && b.tensors.has(key));
  return told
    ? `Step ${step} starts and sees the same, and lands elsewhere: another sampler, another eta, or other noise in the step.${precise}`
    : `The latents part at step ${step}: another sampler, guidance or network. Record predictions to tell which.${precise}`;
}

/** The first latent is the noise times one number. */
function ofStart(a: Run, b: Run): string {
  const [x, y] = [a, b].map(({ tensors }) => tensors.get("latents")?.at(0));
  if (x === undefined || y === undefined) return "";
  const ratio = dot(x, y) / dot(y, y);
  if (relativeL2(x, y.times(ratio)) > 1e-3) {
    return "The first latents are not multiples of one noise: one run starts from a picture.";
  }
  const sigma = (a.tensors.get("sigmas") ?? b.tensors.get("sigmas"))?.data[0] ?? NaN;
  const root = Math.hypot(1, 1 / sigma); // √(σ² + 1)/σ
  const explained = [root, 1 / root].some((factor) => Math.abs(ratio / factor - 1) < 1e-4)
    ? ": one multiplies the noise by σ (diffusers' trailing), the other by √(σ² + 1) (ComfyUI, diffusers' leading)"
    : Math.abs(ratio - sigma) < 1e-2 * sigma || Math.abs(1 / ratio - sigma) < 1e-2 * sigma
    ? ": one sampler adds noise to the picture (Euler), the other mixes the two (DDIM, LCM, DPM-Solver)"
    : "";
  return `The same noise, scaled otherwise: ${a.name} starts from ${
    short(ratio)
  } times ${b.name}'s latent${explained}.`;
}

function dot(a: Tensor, b: Tensor): number {
  return a.data.reduce((sum, value, i) => sum + value * b.data[i], 0);
}

function relativeL2(a: Tensor, b: Tensor): number {
  const gap = a.minus(b);
  return Math.sqrt(dot(gap, gap) / dot(b, b));
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}
