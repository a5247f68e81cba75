/**
 * A denoising step without the network: from a Step and the network's output to the next Step. Pure, so a recorded
 * run can be replayed from its outputs, to the same bits, without loading a model.
 */

import { denoised, inpainted, inSpace, samplers, type SamplerState } from "../diffusion/mod.ts";
import type { Memory } from "../measure/memory.ts";
import { batchNoise } from "../tensor/random/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Step, type StepFields, type Timing } from "./step.ts";

/** What a step took. */
export interface Cost {
  readonly timing: Timing;
  readonly memory: Memory;
}

/** Where a step stands, as samplers want it. */
export function samplerState({ latent, index, trajectory, history }: Step): SamplerState {
  return { x: latent, index, schedule: trajectory.schedule, history, eta: trajectory.eta };
}

/**
 * Takes the sampler's step.
 *
 * @param step where the run stands; unchanged
 * @param output the network's output after guidance, `[batch, 4, height/8, width/8]`
 * @param measure called when the sampler is done: what the step took
 * @throws RangeError when nothing is left to denoise
 */
export function advance(step: Step, output: Tensor, measure: () => Cost): Step {
  wantUnfinished(step);
  const { trajectory, index } = step;
  const sampler = samplers[trajectory.sampler];
  const state = samplerState(step);
  const x0 = denoised(sampler, trajectory.prediction, state, output);
  const drawn = sampler.draws(state)
    ? batchNoise(step.generators, step.latent.shape.slice(1), step.latent.shape[0])
    : { noise: undefined, generators: step.generators };
  const { x, history } = sampler.step(state, x0, drawn.noise);
  const { inpainting, noise } = step;
  return new Step({
    index: index + 1,
    latent: inpainting ? inpainted(x, { ...inpainting, noise }, sampler.space, trajectory.schedule, index + 1) : x,
    noise,
    inpainting,
    request: step.request,
    trajectory,
    conditioning: step.conditioning,
    generators: drawn.generators,
    history,
    ...measure(),
    predicted: {
      denoised: x0,
      output,
      timestep: trajectory.schedule.timesteps[index],
      sigma: trajectory.schedule.sigmas[index],
    },
    previous: step,
  });
}

/** The same place in a run under another request. The schedule is kept: the latent stands on it. */
export function branch(step: Step, changes: Pick<StepFields, "request" | "trajectory" | "conditioning">): Step {
  const [before, after] = [step.trajectory.sampler, changes.trajectory.sampler];
  const latent = inSpace(step.latent, samplers[before].space, samplers[after].space, step.sigmaNext);
  // What one sampler remembers means nothing to another.
  return step.with({ ...changes, latent, history: before === after ? step.history : [] });
}

/** @throws RangeError when nothing is left to denoise */
export function wantUnfinished({ done, count }: Step): void {
  if (done) {
    throw new RangeError(
      `Cannot take step ${count + 1} of ${count}: nothing is left to denoise. Decode the step instead.`,
    );
  }
}
