/** Runs of diffusers, replayed from what its network said: everything but the network is this kit's. */

import { denoised, inpainted, noised, plan, type PlanOptions, samplers } from "../../lib/diffusion/mod.ts";
import { type SchedulerConfig, SDXL_SCHEDULER } from "../../lib/diffusion/scheduler_config.ts";
import { batchNoise, initialNoise } from "../../lib/tensor/random/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { close, equal } from "../assert.ts";
import { goldensNamed, readGolden } from "../goldens/read.ts";

const runs: Record<
  string,
  { options: PlanOptions; config?: Partial<SchedulerConfig>; seeds: readonly (number | bigint)[] }
> = {
  "run-pocket-lightning": { options: { recipe: "lightning-4step" }, seeds: [55986344589] },
  "run-tiny-deep": { options: {}, seeds: [1, 2n ** 63n - 1n] },
  "run-tiny-sharded": {
    options: {},
    config: { spacing: "trailing", prediction: "v", rescaleBetasZeroSnr: true },
    seeds: [7],
  },
  "run-tiny-variant": { options: {}, config: { spacing: "linspace" }, seeds: [2 ** 32 + 7, -1] },
};

for (const sampler of ["euler-ancestral", "heun", "ddim", "dpmpp-2m", "dpmpp-2m-sde", "lcm", "tcd"] as const) {
  const eta = sampler === "ddim" ? 0.6 : undefined;
  const spacing = sampler === "lcm" || sampler === "tcd" ? undefined : "trailing";
  runs[`run-sampler-${sampler}`] = { options: { sampler, spacing, eta }, seeds: [3, 2 ** 40 + 1] };
}

for (const sampler of ["euler", "heun", "ddim", "dpmpp-2m", "lcm"] as const) {
  const eta = sampler === "ddim" ? 0.6 : undefined;
  const spacing = sampler === "lcm" ? undefined : "trailing";
  const run = { options: { sampler, spacing, eta, strength: 0.5 }, seeds: [3, 2 ** 40 + 1] } as const;
  runs[`run-picture-${sampler}`] = run;
  if (sampler === "euler" || sampler === "lcm") runs[`run-inpaint-${sampler}`] = run;
}

// The pocket family's children, as many as there are.
for (const name of goldensNamed(/^run-child-.*(?=\.safetensors$)/)) {
  runs[name] = { options: { recipe: readGolden(`${name}.safetensors`).request.recipe }, seeds: [501798843, 1] };
}

for (const [name, { options, config, seeds }] of Object.entries(runs)) {
  Deno.test(`${name}: noise, schedule, x0 and every latent are diffusers'`, () => {
    const golden = readGolden(`${name}.safetensors`);
    const trajectory = plan({ steps: golden.request.steps, ...options }, { ...SDXL_SCHEDULER, ...config });
    const { schedule, prediction, eta } = trajectory;
    const sampler = samplers[trajectory.sampler];
    const start = initialNoise(seeds, golden.get("noise").shape.slice(1));
    equal(start.noise.data, golden.get("noise").data, "noise");
    equal(schedule.timesteps, [...golden.get("timesteps").data]);
    if (golden.tensors.has("sigmas")) {
      // diffusers keeps the levels that a start from a picture skips.
      close(schedule.sigmas, golden.get("sigmas").data.slice(-schedule.sigmas.length), 1e-6, "sigmas");
    }

    let { generators } = start;
    const original = golden.tensors.get("original");
    const maskRow = golden.tensors.get("mask"); // one for all pictures and channels
    const mask = maskRow && start.noise.map((_, i) => maskRow.data[i % maskRow.data.length]);
    let x = original
      ? noised(original, start.noise, sampler.space, schedule)
      : start.noise.times(schedule.initNoiseSigma);
    let history: readonly Tensor[] = [];
    for (let index = 0; index < schedule.timesteps.length; index++) {
      close(x.data, golden.get("latents").at(index).data, 2e-6, `latent ${index}`);
      const state = { x, index, schedule, history, eta };
      const x0 = denoised(sampler, prediction, state, golden.get("prediction").at(index));
      if (golden.tensors.has("denoised")) close(x0.data, golden.get("denoised").at(index).data, 2e-6, `x0 ${index}`);
      let noise: Tensor | undefined;
      if (sampler.draws(state)) ({ noise, generators } = batchNoise(generators, x.shape.slice(1)));
      ({ x, history } = sampler.step(state, x0, noise));
      if (original && mask) {
        x = inpainted(x, { original, noise: start.noise, mask }, sampler.space, schedule, index + 1);
      }
    }
    close(x.data, golden.get("latents").at(schedule.timesteps.length).data, 2e-6, "result");
  });
}
