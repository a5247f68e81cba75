/** Every sampler against diffusers, over a linear stand-in for the network: see tests/goldens/samplers.py. */

import { plan, PREDICTIONS, SAMPLER_NAMES, samplers, scheduleOf, SDXL_SCHEDULER } from "../../lib/diffusion/mod.ts";
import type { Prediction, Ramp, SamplerName, Schedule, Spacing } from "../../lib/diffusion/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { close, equal, ok, throwsSentence } from "../assert.ts";
import { readJson } from "../goldens/read.ts";
import { standInRun } from "./stand_in.ts";

interface Row {
  readonly sampler: SamplerName;
  readonly prediction: Prediction;
  readonly steps?: number;
  readonly spacing?: Spacing;
  readonly ramp?: Ramp;
  readonly eta?: number;
  readonly strength?: number;
  readonly timestepsGiven?: number[];
  readonly sigmasGiven?: number[];
  readonly finalSigma?: "sigma_min";
  /** Of epsilon's rows, which stand for the other predictions' schedules too. */
  readonly timesteps?: number[];
  readonly sigmas?: number[];
  readonly first?: number[];
  readonly last: number[];
}
const rows = ["samplers.json", "samplers-ramps.json"].flatMap((name) => readJson<{ rows: Row[] }>(name).rows);

function scheduleOfRow(row: Row): Schedule {
  const finalSigma = row.finalSigma === "sigma_min" ? "sigma-min" as const : "zero" as const;
  const { timestepsGiven: timesteps, sigmasGiven: sigmas } = row;
  const config = { ...SDXL_SCHEDULER, finalSigma };
  if (timesteps === undefined && sigmas === undefined) {
    return plan({ ...row, timesteps, sigmas, recipe: "none" }, config).schedule;
  }
  // Listed levels are no spacing of a request; the model's file, trailing in these rows, says how they start.
  return plan({ ...row, timesteps, sigmas, spacing: undefined, recipe: "none" }, { ...config, spacing: "trailing" })
    .schedule;
}

for (const name of new Set(rows.map(({ sampler }) => sampler))) {
  Deno.test(`${name}: diffusers' timesteps, sigmas and latents in every golden row`, () => {
    for (const row of rows.filter(({ sampler }) => sampler === name)) {
      const { sampler: _, first, last, timesteps, sigmas, ...asked } = row;
      const what = JSON.stringify(asked);
      const schedule = scheduleOfRow(row);
      if (timesteps && row.ramp === undefined && row.sigmasGiven === undefined) {
        equal(schedule.timesteps, timesteps.map(Math.fround), what);
      } // Fractional ones come from float32 logarithms, whose last bit is worth 5e-5 of a timestep.
      else if (timesteps) close(schedule.timesteps, timesteps, 1e-6, `timesteps of ${what}`);
      if (sigmas) close(schedule.sigmas, sigmas, 1e-6, `sigmas of ${what}`);
      const latents = standInRun(row, schedule);
      if (first) close(latents[1].data, first, 1e-5, `first step of ${what}`);
      close(latents[latents.length - 1].data, last, 1e-5, `last latent of ${what}`);
    }
  });
}

const STEPS = [1, 2, 3, 4, 8, 20, 50];

Deno.test("the golden table is whole: sampler, spacing, ramp, steps, prediction, and strength from a picture", () => {
  const held = (wanted: Partial<Row>) =>
    rows.some((row) =>
      Object.entries(wanted).every(([key, value]) => Object.entries(row).some(([k, v]) => k === key && v === value))
    );
  const holes: string[] = [];
  const want = (wanted: Partial<Row>) => held(wanted) || holes.push(JSON.stringify(wanted));
  for (const sampler of SAMPLER_NAMES) {
    const spaced = sampler !== "lcm" && sampler !== "tcd";
    for (const steps of STEPS) {
      for (const prediction of ["epsilon", "v", "sample"] as const) {
        if (sampler === "euler-ancestral" && prediction === "sample") continue; // diffusers has none
        for (const spacing of spaced ? ["leading", "trailing", "linspace"] as const : [undefined]) {
          want({ sampler, steps, prediction, ...(spacing && { spacing }) });
        }
      }
      if (!["euler", "heun", "dpmpp-2m", "dpmpp-2m-sde"].includes(sampler)) continue;
      for (const ramp of ["karras", "exponential", "beta"] as const) {
        for (const prediction of PREDICTIONS) {
          want({ sampler, steps, ramp, prediction, spacing: "trailing" });
          want({ sampler, steps, ramp, prediction, spacing: "leading" });
          if (steps > 1) want({ sampler, steps, ramp, prediction, spacing: "linspace" });
        }
      }
    }
    for (const [steps, strength] of [[1, 1], [2, 0.5], [4, 0.3], [8, 0.125], [8, 0.9999]]) {
      want({ sampler, steps, strength });
    }
  }
  equal(holes, []);
});

Deno.test("from a picture, what leaves no step is refused with what would leave one, whatever the sampler", async () => {
  for (const sampler of SAMPLER_NAMES) {
    const start = (steps: number, strength: number) => plan({ recipe: "none", sampler, steps, strength });
    await throwsSentence(
      () => start(1, 0.9999),
      "Cannot start from a picture with strength 0.9999 in 1 step: that leaves no step to take. Allowed: 1, or more steps.",
    );
    await throwsSentence(() => start(2, 0.3), /strength 0\.3 in 2 steps: .* Allowed: 0\.5 to 1, or more steps\.$/);
    await throwsSentence(() => start(8, 0.1), /in 8 steps: .* Allowed: 0\.125 to 1, or more steps\.$/);
    // What the sentence promises works.
    for (const [steps, strength] of [[1, 1], [2, 0.5], [3, 0.334], [8, 0.125]]) {
      equal(start(steps, strength).schedule.sigmas.length >= 2, true);
    }
  }
});

Deno.test("samplers that noise the way back up draw at every step but the last", () => {
  const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 4, sampler: "lcm" });
  const states = [0, 1, 2, 3].map((index) => ({ x: Tensor.of([1]), index, schedule, history: [] }));
  for (const sampler of [samplers.lcm, samplers.tcd]) {
    equal(states.map((state) => sampler.draws(state)), [true, true, true, false]);
  }
  equal(states.map((state) => samplers.tcd.draws({ ...state, eta: 0 })), [false, false, false, false]);
});

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
