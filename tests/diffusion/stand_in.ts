/** A linear function in place of the network, as tests/goldens/samplers.py has it. */

import { denoised, noised, samplers, type SamplerState } from "../../lib/diffusion/mod.ts";
import type { Prediction, SamplerName, Schedule } from "../../lib/diffusion/mod.ts";
import { torchGenerator } from "../../lib/tensor/random/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";

export interface StandInRun {
  readonly sampler: SamplerName;
  readonly prediction: Prediction;
  readonly strength?: number;
  readonly eta?: number;
}

/** (a, b) of the stand-in a·x + b·c. */
const STAND_IN: Record<Prediction, readonly [number, number]> = {
  epsilon: [0.9, 0.1],
  v: [0.2, -0.5],
  sample: [0.3, 0.5],
};
const c = Tensor.of(Array.from({ length: 16 }, (_, i) => -1 + i * 2 / 15), [1, 4, 2, 2]);

/** What a row with a strength starts from. */
const original = Tensor.of(Array.from({ length: 16 }, (_, i) => 1 - i * 1.5 / 15), [1, 4, 2, 2]);

/** All latents of a run over the stand-in. */
export function standInRun({ sampler: name, prediction, strength, eta }: StandInRun, schedule: Schedule): Tensor[] {
  const sampler = samplers[name];
  const [a, b] = STAND_IN[prediction];
  const start = torchGenerator(5).randn(16);
  const unit = new Tensor(start.values, [1, 4, 2, 2]);
  let generator = start.next;
  let state: SamplerState = {
    x: strength === undefined ? unit.times(schedule.initNoiseSigma) : noised(original, unit, sampler.space, schedule),
    index: 0,
    schedule,
    history: [],
    eta,
  };
  const latents = [state.x];
  for (const sigma of schedule.sigmas.slice(0, -1)) {
    const output = sampler.scaleInput(state.x, sigma).zip(c, "stand in for", (x, c) => a * x + b * c);
    const x0 = denoised(sampler, prediction, state, output);
    let noise: Tensor | undefined;
    if (sampler.draws(state)) {
      const drawn = generator.randn(16);
      generator = drawn.next;
      noise = new Tensor(drawn.values, [1, 4, 2, 2]);
    }
    state = { ...state, ...sampler.step(state, x0, noise), index: state.index + 1 };
    latents.push(state.x);
  }
  return latents;
}
