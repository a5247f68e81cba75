import {
  denoised,
  epsilonOf,
  inSpace,
  SAMPLER_NAMES,
  samplers,
  type SamplerState,
  scheduleOf,
  SDXL_SCHEDULER,
  velocityOf,
  x0Of,
} from "../../lib/diffusion/mod.ts";
import { initialNoise } from "../../lib/tensor/random/mod.ts";
import { close, equal, throwsSentence } from "../assert.ts";

const x = initialNoise([1], [4, 4, 4]).noise;
const x0 = initialNoise([2], [4, 4, 4]).noise;

Deno.test("x0, epsilon and v are three spellings of one thing, in both spaces", () => {
  for (const space of ["exploding", "preserving"] as const) {
    for (const sigma of [0.03, 0.7, 4, 14.6]) {
      const scaled = space === "exploding" ? x.times(Math.hypot(sigma, 1)) : x;
      // Near σ = 0 the noise is a small difference of large numbers, and at σ = 14 the picture is.
      const tolerance = 1e-6 * Math.max(sigma, 1 / sigma);
      close(x0Of("epsilon", space, scaled, sigma, epsilonOf(space, scaled, sigma, x0)).data, x0.data, tolerance);
      close(x0Of("v", space, scaled, sigma, velocityOf(space, scaled, sigma, x0)).data, x0.data, tolerance);
      equal(x0Of("sample", space, scaled, sigma, x0), x0);
    }
  }
});

Deno.test("going to the other space and back is the identity", () => {
  for (const sigma of [0, 0.7, 14.6]) {
    const there = inSpace(x, "exploding", "preserving", sigma);
    close(inSpace(there, "preserving", "exploding", sigma).data, x.data, 1e-6);
    equal(inSpace(x, "preserving", "preserving", sigma), x);
  }
});

Deno.test("a sampler of either space sees the same picture in the same latent", () => {
  const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 4, spacing: "trailing" });
  const index = 2;
  const sigma = schedule.sigmas[index];
  const there = inSpace(x, "exploding", "preserving", sigma);
  close(samplers.euler.scaleInput(x, sigma).data, samplers.ddim.scaleInput(there, sigma).data, 1e-7, "what is shown");
  const seen = (name: "euler" | "ddim", x: typeof there) =>
    denoised(samplers[name], "epsilon", { x, index, schedule, history: [] }, x0);
  close(seen("euler", x).data, seen("ddim", there).data, 1e-6, "x0");
});

Deno.test("Heun cannot take over in the middle of a pair", async () => {
  const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 3, sampler: "heun" });
  const state = { x, index: 1, schedule, history: [] };
  await throwsSentence(() => samplers.heun.step(state, x0), /Heun's step 2: it corrects the one before.*even number/);
});

Deno.test("a sampler that asked for noise and got none says so", async () => {
  const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 3, sampler: "lcm" });
  await throwsSentence(
    () => samplers.lcm.step({ x, index: 0, schedule, history: [] }, x0),
    /asked for noise and got none/,
  );
});

Deno.test("every sampler can go on over every other's schedule, and stays finite", () => {
  for (const own of SAMPLER_NAMES) {
    const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 3, sampler: own });
    for (const name of SAMPLER_NAMES) {
      if (name === "heun" && own !== "heun") continue; // it needs its own pairs
      let state: SamplerState = { x, index: 0, schedule, history: [] };
      for (const sigma of schedule.sigmas.slice(0, -1)) {
        const output = samplers[name].scaleInput(state.x, sigma);
        const step = samplers[name].step(state, denoised(samplers[name], "epsilon", state, output), x0);
        state = { ...state, ...step, index: state.index + 1 };
      }
      equal(state.x.data.every(Number.isFinite), true, `${name} on ${own}'s schedule`);
    }
  }
});
