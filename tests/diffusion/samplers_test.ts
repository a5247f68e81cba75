/** Every sampler against diffusers, over a linear stand-in for the network: see tests/goldens/samplers.py. */

import { denoised, samplers, type SamplerState, scheduleOf, SDXL_SCHEDULER } from "../../lib/diffusion/mod.ts";
import type { Prediction, Ramp, SamplerName, Schedule, Spacing } from "../../lib/diffusion/mod.ts";
import { torchGenerator } from "../../lib/tensor/random/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { close, equal, ok } from "../assert.ts";
import { readJson } from "../goldens/read.ts";

interface Row {
  readonly sampler: SamplerName;
  readonly prediction: Prediction;
  readonly steps?: number;
  readonly spacing?: Spacing;
  readonly ramp?: Ramp;
  readonly eta?: number;
  readonly timestepsGiven?: number[];
  readonly sigmasGiven?: number[];
  readonly finalSigma?: "sigma_min";
  readonly timesteps: number[];
  readonly sigmas?: number[];
  readonly first: number[];
  readonly last: number[];
}
const { rows } = readJson<{ rows: Row[] }>("samplers.json");

/** (a, b) of the stand-in a·x + b·c. */
const STAND_IN: Record<Prediction, readonly [number, number]> = {
  epsilon: [0.9, 0.1],
  v: [0.2, -0.5],
  sample: [0.3, 0.5],
};
const c = Tensor.of(Array.from({ length: 16 }, (_, i) => -1 + i * 2 / 15), [1, 4, 2, 2]);

/** All latents of a run over the stand-in. */
function run(name: SamplerName, prediction: Prediction, schedule: Schedule, eta?: number): Tensor[] {
  const sampler = samplers[name];
  const [a, b] = STAND_IN[prediction];
  const start = torchGenerator(5).randn(16);
  let generator = start.next;
  let state: SamplerState = {
    x: new Tensor(start.values, [1, 4, 2, 2]).times(schedule.initNoiseSigma),
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

function scheduleOfRow(row: Row): Schedule {
  const config = {
    ...SDXL_SCHEDULER,
    finalSigma: row.finalSigma === "sigma_min" ? "sigma-min" as const : "zero" as const,
  };
  return scheduleOf(config, { ...row, timesteps: row.timestepsGiven, sigmas: row.sigmasGiven });
}

for (const name of new Set(rows.map(({ sampler }) => sampler))) {
  Deno.test(`${name}: diffusers' timesteps, sigmas and latents in every golden row`, () => {
    for (const row of rows.filter(({ sampler }) => sampler === name)) {
      const { sampler: _, first, last, timesteps, sigmas, ...asked } = row;
      const what = JSON.stringify(asked);
      const schedule = scheduleOfRow(row);
      if (row.ramp === undefined && row.sigmasGiven === undefined) {
        equal(schedule.timesteps, timesteps.map(Math.fround), what);
      } // Fractional ones come from float32 logarithms, whose last bit is worth 5e-5 of a timestep.
      else close(schedule.timesteps, timesteps, 1e-6, `timesteps of ${what}`);
      if (sigmas) close(schedule.sigmas, sigmas, 1e-6, `sigmas of ${what}`);
      const latents = run(name, row.prediction, schedule, row.eta);
      close(latents[1].data, first, 1e-5, `first step of ${what}`);
      close(latents[latents.length - 1].data, last, 1e-5, `last latent of ${what}`);
    }
  });
}

Deno.test("a step leaves the state that it was given as it was, and repeats itself", () => {
  for (const [name, sampler] of Object.entries(samplers)) {
    const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 4, sampler: name as SamplerName });
    const x = Tensor.of([1, -2, 3]);
    const state = { x, index: 0, schedule, history: [] };
    const once = sampler.step(state, Tensor.of([0.5, 0, 1]), Tensor.of([1, 1, -1]));
    const again = sampler.step(state, Tensor.of([0.5, 0, 1]), Tensor.of([1, 1, -1]));
    equal([once.x.data, x.data], [again.x.data, Float32Array.of(1, -2, 3)], name);
    ok(once.x !== x, name);
  }
});
