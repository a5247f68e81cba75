/**
 * What looking at a 1024² picture's latent costs, beside decoding it: each view of `[1, 4, 128, 128]`, drawn and encoded.
 * Goal: ≤ 50 ms each for the numbers and colours. Encoding the sheet as PNG is listed apart: it is the same for any figure.
 *
 * Command: deno run -A bench/latent_views.ts
 */

import { channels, latentToRgb, Step, Tensor } from "../lib/mod.ts";
import { spectrum, statistics } from "../lib/measure/latent.ts";
import { plan, timeIds } from "../lib/diffusion/mod.ts";
import { Conditioning } from "../lib/model/conditioning.ts";
import { batchNoise, torchGenerator } from "../lib/tensor/random/mod.ts";
import { histogram, latentDifference, latentStatistics, spectra, strip } from "../lib/view/mod.ts";
import { rasters } from "../lib/view/raster.ts";
import { report, spread, time } from "./harness.ts";

const ROUNDS = 9;
const latent = batchNoise([torchGenerator(1)], [4, 128, 128]).noise;
const trajectory = plan({ recipe: "lightning-4step" });
const fields = {
  noise: latent,
  request: { prompt: "" },
  trajectory,
  conditioning: Conditioning.ofTexts(1, { prompt: timeIds({ width: 1024, height: 1024 }) }, {
    embeds: Tensor.zeros([77, 8]),
    pooled: Tensor.zeros([8]),
  }),
  generators: [],
  history: [],
  timing: { unet: 0, step: 0 },
  memory: { resident: 0, peak: 0 },
};
const noise = new Step({ ...fields, index: 0, latent });
const step = new Step({
  ...fields,
  index: 1,
  latent: latent.times(4),
  predicted: { denoised: latent, output: latent, timestep: 999, sigma: trajectory.schedule.sigmas[0] },
  previous: noise,
});

const views: Readonly<Record<string, () => unknown>> = {
  "linear colours": () => rasters(latentToRgb(latent)),
  "x0 as a strip": () => strip([step]).drawing(),
  "channels": () => channels(latent).drawing(),
  "statistics": () => Array.from({ length: 4 }, (_, channel) => statistics(latent.at(0).at(channel))),
  "statistics against the schedule": () => latentStatistics([step]),
  "histogram": () => histogram([step]).drawing(),
  "spectrum": () => spectrum(latent),
  "spectra of a step": () => spectra([step]).drawing(),
  "difference": () => latentDifference([step], { against: latent }).drawing(),
  "channels, encoded as PNG": () => channels(latent).png(),
};
const results: Record<string, unknown> = {};
for (const [name, view] of Object.entries(views)) {
  await view(); // fonts, sharp and Plot are loaded once
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) times.push(await time(view));
  results[name] = { milliseconds: spread(times) };
}
await report("latent_views", "deno run -A bench/latent_views.ts", results);
