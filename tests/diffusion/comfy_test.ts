import {
  type Prediction,
  PREDICTIONS,
  type SamplerName,
  scheduleOf,
  SDXL_SCHEDULER,
  type Spacing,
} from "../../lib/diffusion/mod.ts";
import { noiseLevelsInDouble } from "../../lib/diffusion/noise_levels.ts";
import { close, closeEach, equal, ok, throwsSentence } from "../assert.ts";
import { readJson } from "../goldens/read.ts";
import { standInRun } from "./stand_in.ts";

interface Row {
  readonly spacing: Spacing;
  readonly steps: number;
  readonly sigmas: number[];
  /** Timesteps that are equally near to each sigma. */
  readonly nearest: number[][];
}
interface Trajectory {
  readonly spacing: Spacing;
  readonly steps: number;
  readonly sampler: SamplerName;
  /** Every fifth value of the last latent. */
  readonly last: Readonly<Record<Prediction, number[]>>;
}
const { rows, trajectories, sigmaMin, sigmaMax } = readJson<
  { rows: Row[]; trajectories: Trajectory[]; sigmaMin: number; sigmaMax: number }
>("comfy.json");

Deno.test("ComfyUI's table of sigmas is not diffusers'", () => {
  const { sigmas } = noiseLevelsInDouble(SDXL_SCHEDULER);
  closeEach([sigmas[0], sigmas[999]], [sigmaMin, sigmaMax], 1e-7);
  ok(
    scheduleOf(SDXL_SCHEDULER, { steps: 1, spacing: "trailing" }).sigmas[0] !== sigmas[999],
    "14.614647, not 14.614641",
  );
});

for (const name of new Set(rows.map(({ spacing }) => spacing))) {
  Deno.test(`ComfyUI's ${name}: sigmas and the timesteps that the network is told`, () => {
    for (const { spacing, steps, sigmas, nearest } of rows.filter(({ spacing }) => spacing === name)) {
      const schedule = scheduleOf(SDXL_SCHEDULER, { steps, spacing });
      close(schedule.sigmas, sigmas, 1e-6, `${steps} steps`);
      nearest.forEach((allowed, i) => ok(allowed.includes(schedule.timesteps[i]), `${steps} steps, step ${i}`));
    }
  });
}

Deno.test("sgm_uniform tells the network 999, 749, 500, 250 where trailing says 999, 749, 499, 249", () => {
  equal(scheduleOf(SDXL_SCHEDULER, { steps: 4, spacing: "sgm-uniform" }).timesteps, [999, 749, 500, 250]);
});

Deno.test("a full schedule starts from noise on a picture, a shorter one from noise alone", () => {
  const full = scheduleOf(SDXL_SCHEDULER, { steps: 4, spacing: "sgm-uniform" });
  closeEach([full.initNoiseSigma], [Math.sqrt(1 + full.sigmas[0] ** 2)], 1e-7);
  const shorter = scheduleOf(SDXL_SCHEDULER, { steps: 4, spacing: "ddim-uniform" });
  equal(shorter.initNoiseSigma, shorter.sigmas[0]);
});

Deno.test("simple is trailing where the steps divide 1000, but for the table", () => {
  const [simple, trailing] = (["simple", "trailing"] as const).map((spacing) =>
    scheduleOf(SDXL_SCHEDULER, { steps: 8, spacing })
  );
  equal(simple.timesteps, trailing.timesteps);
  close(simple.sigmas, trailing.sigmas, 1e-6);
});

Deno.test("sd-turbo ends at ten steps", async () => {
  await throwsSentence(() => scheduleOf(SDXL_SCHEDULER, { steps: 11, spacing: "sd-turbo" }), /of 11 steps: it has 10/);
});

for (const name of new Set(trajectories.map(({ sampler }) => sampler))) {
  Deno.test(`${name} on ComfyUI's schedules: where a derivation in double ends, for every spacing, count and prediction`, () => {
    for (const { spacing, steps, sampler, last } of trajectories.filter(({ sampler }) => sampler === name)) {
      const schedule = scheduleOf(SDXL_SCHEDULER, { steps, spacing, sampler });
      for (const prediction of PREDICTIONS) {
        const end = standInRun({ sampler, prediction }, schedule).at(-1);
        const values = end?.data.filter((_, i) => i % 5 === 0) ?? [];
        close(values, last[prediction], 1e-5, `${spacing}, ${steps} steps, ${prediction}`);
      }
    }
  });
}
