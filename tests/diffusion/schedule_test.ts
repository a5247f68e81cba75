import { noiseLevels, noiseLevelsInDouble, sigmaAt, timestepAt } from "../../lib/diffusion/noise_levels.ts";
import { scheduleOf, type SchedulerConfig, SDXL_SCHEDULER, type Spacing, SPACINGS } from "../../lib/diffusion/mod.ts";
import { close, closeEach, equal, ok, throwsSentence } from "../assert.ts";
import { readJson } from "../goldens/read.ts";

interface Goldens {
  readonly tables: Record<string, { alphasCumprod: number[]; sigmas: number[] }>;
  readonly schedules: {
    readonly spacing: Spacing;
    readonly ramp: SchedulerConfig["ramp"] | null;
    readonly steps: number;
    readonly finalSigma: SchedulerConfig["finalSigma"];
    readonly timesteps: number[];
    readonly sigmas: number[];
    readonly initNoiseSigma: number;
  }[];
}
const goldens = readJson<Goldens>("schedules.json");

/** How many float32 steps lie between two positive numbers. */
function ulps(a: number, b: number): number {
  const [x, y] = new Int32Array(Float32Array.of(a, b).buffer);
  return Math.abs(x - y);
}

const tables: Record<string, SchedulerConfig> = {
  "sdxl": SDXL_SCHEDULER,
  "zero-snr": { ...SDXL_SCHEDULER, rescaleBetasZeroSnr: true },
  "linear": { ...SDXL_SCHEDULER, betaSchedule: "linear", betaStart: 0.0001, betaEnd: 0.02 },
  "cosine": { ...SDXL_SCHEDULER, betaSchedule: "squaredcos_cap_v2" },
};

for (const [name, config] of Object.entries(tables)) {
  Deno.test(`the training's noise levels are diffusers' to the last bits: ${name}`, () => {
    const { alphasCumprod, sigmas } = noiseLevels(config);
    const every37th = (values: Float32Array) => values.filter((_, i) => i % 37 === 0);
    const expected = goldens.tables[name];
    const actual = [...every37th(alphasCumprod), alphasCumprod[999]];
    // Zero SNR goes through torch's square root, which MKL rounds to either neighbour: more last bits, summed up by the product.
    const allowed = config.rescaleBetasZeroSnr ? 16 : 1;
    expected.alphasCumprod.forEach((alpha, i) =>
      ok(ulps(actual[i], alpha) <= allowed, `ᾱ ${i}: ${actual[i]}, wanted ${alpha}`)
    );
    close(every37th(sigmas), expected.sigmas, 1e-6);
  });
}

Deno.test("levels in double are their own where betas follow a line or its square, and else those in float32", () => {
  const trained = { ...SDXL_SCHEDULER, trainedBetas: Array.from({ length: 1000 }, (_, i) => 0.001 + i * 1e-5) };
  for (const config of [tables["zero-snr"], tables["cosine"], trained]) {
    equal(noiseLevelsInDouble(config), noiseLevels(config));
  }
  for (const name of ["sdxl", "linear"]) {
    const [double, single] = [noiseLevelsInDouble(tables[name]), noiseLevels(tables[name])];
    close(double.sigmas, single.sigmas, 1e-4);
    ok(double.sigmas.some((sigma, i) => sigma !== single.sigmas[i]), name);
  }
});

for (const golden of goldens.schedules) {
  const { spacing, ramp, steps, finalSigma } = golden;
  if (ramp !== null) continue;
  Deno.test(`${spacing}, ${steps} steps, ends in ${finalSigma}: diffusers' timesteps and sigmas`, () => {
    const schedule = scheduleOf({ ...SDXL_SCHEDULER, finalSigma }, { steps, spacing });
    equal(schedule.timesteps, golden.timesteps.slice(0, steps));
    close(schedule.sigmas, golden.sigmas, 1e-6);
    schedule.sigmas.forEach((sigma, i) => ok(ulps(sigma, golden.sigmas[i]) <= 1, `sigma ${i}: ${sigma}`));
    ok(ulps(schedule.initNoiseSigma, golden.initNoiseSigma) <= 1, `initNoiseSigma ${schedule.initNoiseSigma}`);
  });
}

Deno.test("every schedule descends strictly and ends in 0", () => {
  for (const spacing of SPACINGS) {
    const most = spacing === "sd-turbo" ? 10 : spacing === "lcm" ? 50 : 250;
    for (let steps = 1; steps <= most; steps += steps < 60 ? 1 : 7) {
      const { sigmas } = scheduleOf(SDXL_SCHEDULER, { steps, spacing });
      if (spacing !== "ddim-uniform") equal(sigmas.length, steps + 1);
      equal(sigmas.at(-1), 0);
      ok(sigmas.every((sigma, i) => i === 0 || sigma < sigmas[i - 1]), `${spacing} ${steps}: ${sigmas}`);
    }
  }
});

Deno.test("a timestep's sigma leads back to the timestep", () => {
  const { sigmas } = noiseLevels(SDXL_SCHEDULER);
  for (const t of [1, 249, 500, 998, 999]) closeEach([timestepAt(sigmas, sigmas[t])], [t], 1e-6);
  equal([timestepAt(sigmas, 0), timestepAt(sigmas, 100), sigmaAt(sigmas, 2000)], [0, 999, sigmas[999]]);
});

Deno.test("levels can be given one by one, and must descend", async () => {
  const { sigmas, timesteps } = scheduleOf(SDXL_SCHEDULER, { sigmas: [14.6, 2, 0.5, 0] });
  equal([sigmas.length, timesteps.length], [4, 3]);
  equal(scheduleOf(SDXL_SCHEDULER, { timesteps: [999, 500] }).sigmas.length, 3);
  for (const sigmas of [[1, 2, 0], [2, 1], [0], [NaN, 0], []]) {
    await throwsSentence(() => scheduleOf(SDXL_SCHEDULER, { sigmas }), /wanted are at least two numbers that descend/);
  }
  for (const timesteps of [[500, 999], [1000], [-1], []]) {
    await throwsSentence(() => scheduleOf(SDXL_SCHEDULER, { timesteps }), /wanted are numbers below 1000 that descend/);
  }
});

Deno.test("LCM has no more than the steps that it was distilled on", async () => {
  equal(scheduleOf(SDXL_SCHEDULER, { steps: 4, sampler: "lcm" }).timesteps, [999, 759, 499, 259]);
  await throwsSentence(() => scheduleOf(SDXL_SCHEDULER, { steps: 51, sampler: "lcm" }), /picks from the 50 .* 1 to 50/);
});

Deno.test("step counts that no schedule can have are refused in one sentence", async () => {
  for (const steps of [0, -1, 1.5, NaN, 1001]) {
    await throwsSentence(() => scheduleOf(SDXL_SCHEDULER, { steps }), /wanted is a whole number from 1 to 1000/);
  }
});

Deno.test("Align Your Steps: the published ten, and in between for other counts", () => {
  const at = (steps: number) => scheduleOf(SDXL_SCHEDULER, { steps, spacing: "ays" });
  equal(at(10).timesteps, [999, 845, 730, 587, 443, 310, 193, 116, 53, 13]);
  equal([at(5).timesteps[0], at(5).sigmas.length], [999, 6]);
  closeEach(at(5).sigmas.slice(0, 5), at(10).sigmas.filter((_, i) => i % 2 === 0 && i < 10), 1e-6);
});

Deno.test("noise begins as the spacing's tool has it, or as asked; samplers that mix take the same in their space", () => {
  const at = (options: Partial<Parameters<typeof scheduleOf>[1]>) => {
    const { initNoiseSigma, sigmas: [sigma] } = scheduleOf(SDXL_SCHEDULER, { steps: 4, ...options });
    return [initNoiseSigma, initNoiseSigma / sigma, initNoiseSigma / Math.hypot(sigma, 1)];
  };
  for (const spacing of ["trailing", "sgm-uniform", "leading"] as const) {
    closeEach([at({ spacing, initNoise: "sigma" })[1]], [1], 1e-6, spacing);
    closeEach([at({ spacing, initNoise: "unit-variance" })[2]], [1], 1e-6, spacing);
    equal(at({ spacing, sampler: "ddim", initNoise: "unit-variance" })[0], 1);
    const mixed = at({ spacing, sampler: "lcm", initNoise: "sigma" })[0];
    closeEach([mixed], [at({ spacing, initNoise: "sigma" })[0] / at({ spacing, initNoise: "unit-variance" })[0]], 1e-6);
  }
  equal(at({ spacing: "trailing", sampler: "ddim" })[0], 1);
  equal(at({ spacing: "sgm-uniform", sampler: "ddim" })[0], 1);
  // ComfyUI starts a schedule from below the highest level with noise alone, whatever the sampler.
  const shorter = scheduleOf(SDXL_SCHEDULER, { steps: 4, spacing: "ddim-uniform", sampler: "ddim" });
  closeEach([shorter.initNoiseSigma], [shorter.sigmas[0] / Math.hypot(shorter.sigmas[0], 1)], 1e-6);
});
