/** Small tensors and steps that look like something, the same on every machine. */

import type { Observed } from "../../lib/model/observed.ts";
import { Step } from "../../lib/model/step.ts";
import { Conditioning } from "../../lib/model/conditioning.ts";
import { plan, timeIds } from "../../lib/diffusion/mod.ts";
import { batchNoise, torchGenerator } from "../../lib/tensor/random/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";

/** `[1, 3, size, size]`: a disc on a gradient, coloured by `hue` in 0..1. */
export function disc(hue: number, size = 64): Tensor {
  const data = new Float32Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const inside = Math.hypot(x - size / 2, y - size / 2) < size / 3;
      const color = inside ? [hue, 0.4, 1 - hue] : [x / size, y / size, 0.5];
      color.forEach((value, channel) => data[(channel * size + y) * size + x] = value);
    }
  }
  return new Tensor(data, [1, 3, size, size]);
}

/** `[batch, 4, 8, 8]` of waves, about unit deviation. */
export function waves(batch = 1): Tensor {
  return Tensor.of(Array.from({ length: batch * 256 }, (_, i) => 1.5 * Math.sin(i * 0.7 + (i >> 6))), [batch, 4, 8, 8]);
}

/** Two steps of lightning-4step over `waves`, with fixed times, and what was observed in the second. */
export function sampleSteps(batch = 1, observed?: Observed): [noise: Step, first: Step] {
  const latent = waves(batch);
  const embedding = { embeds: Tensor.zeros([77, 8]), pooled: Tensor.zeros([8]) };
  const trajectory = plan({ recipe: "lightning-4step" });
  const fields = {
    noise: latent,
    request: { prompt: "waves", recipe: "lightning-4step" },
    trajectory,
    conditioning: Conditioning.ofTexts(batch, { prompt: timeIds({ width: 64, height: 64 }) }, embedding),
    generators: [],
    history: [],
    timing: { unet: 31.2, step: 33.4 },
    memory: { resident: 184e6, peak: 1.25e9 },
  };
  const noise = new Step({ ...fields, index: 0, latent });
  const first = new Step({
    ...fields,
    index: 1,
    latent: latent.times(0.6),
    predicted: { denoised: latent.times(0.3), output: latent, timestep: 999, sigma: trajectory.schedule.sigmas[0] },
    previous: noise,
    observed,
  });
  return [noise, first];
}

/** Paints any latent as a disc whose colour is the latent's mean: a stand-in for a VAE that counts its calls. */
export class PaintingDecoder {
  calls = 0;

  decode(latent: Tensor): Promise<Tensor> {
    this.calls++;
    const mean = (row: Tensor) => row.data.reduce((sum, value) => sum + Math.abs(value), 0) / row.data.length;
    const [batch] = latent.shape;
    const pictures = Array.from({ length: batch }, (_, index) => disc(Math.min(1, mean(latent.at(index)))));
    return Promise.resolve(Tensor.concat(pictures));
  }
}

/** Attention of a 4×4 level to "red apple": red on the left half, apple in the middle; features that fall and rise. */
export function observed(batch = 1): Observed {
  const [side, keys] = [4, 77];
  const text = new Float32Array(batch * side * side * keys);
  const self = new Float32Array(batch * side ** 4);
  for (let place = 0; place < batch * side * side; place++) {
    const [x, y] = [place % side, Math.floor(place / side) % side];
    const red = x < side / 2 ? 0.3 : 0.1;
    const apple = Math.max(0, 0.4 - 0.2 * Math.hypot(x - 1.5, y - 1.5));
    text.set([1 - red - apple, red, apple / 2, apple / 2], place * keys);
    for (let other = 0; other < side * side; other++) {
      self[place * side * side + other] = x < 2 === other % side < 2 ? 1 / 8 : 0;
    }
  }
  const names = {
    text: "mid_block.attentions.0.transformer_blocks.0.attn2",
    self: "mid_block.attentions.0.transformer_blocks.0.attn1",
  };
  const values = Tensor.of(Array.from({ length: batch * 3 * 64 }, (_, i) => ((i >> 6) % 3) * Math.sin(i / 5)), [
    batch,
    3,
    8,
    8,
  ]);
  return {
    words: [{ text: "red", positions: [1] }, { text: "apple", positions: [2, 3] }],
    attention: new Map([
      [names.text, {
        layer: names.text,
        of: "text" as const,
        probabilities: new Tensor(text, [batch, 1, side, side, keys]),
        unconditional: undefined,
      }],
      [names.self, {
        layer: names.self,
        of: "self" as const,
        probabilities: new Tensor(self, [batch, 1, side, side, side * side]),
        unconditional: undefined,
      }],
    ]),
    features: new Map([["mid_block", { layer: "mid_block", values, unconditional: undefined }]]),
  };
}

/** Four steps of lightning-4step from torch's noise for seed 1 to waves, exactly or with guesses that turn. */
export function sampleRun(turn: 0 | 1): Step {
  const noise = batchNoise([torchGenerator(1)], [4, 16, 16]).noise;
  const goal = Tensor.of(
    Array.from({ length: 1024 }, (_, i) => 1.4 * Math.sin((i % 16) * 0.4) * Math.cos((i >> 4) * 0.3)),
    [1, 4, 16, 16],
  );
  const embedding = { embeds: Tensor.zeros([77, 8]), pooled: Tensor.zeros([8]) };
  const trajectory = plan({ recipe: "lightning-4step" });
  const { sigmas, timesteps } = trajectory.schedule;
  const fields = {
    noise,
    request: { prompt: "waves", recipe: "lightning-4step" },
    trajectory,
    conditioning: Conditioning.ofTexts(1, { prompt: timeIds({ width: 128, height: 128 }) }, embedding),
    generators: [],
    history: [],
    timing: { unet: 31.2, step: 33.4 },
    memory: { resident: 184e6, peak: 1.25e9 },
  };
  let step = new Step({ ...fields, index: 0, latent: goal.plus(noise.times(sigmas[0])) });
  for (let i = 0; i < 4; i++) {
    const x = step.latent;
    const wrong = noise.map((_, k) => turn * 0.5 * sigmas[i] * Math.sin(k * (i + 1)));
    const denoised = goal.plus(wrong);
    const latent = denoised.plus(x.minus(denoised).times(sigmas[i + 1] / sigmas[i]));
    step = new Step({
      ...fields,
      index: i + 1,
      latent,
      predicted: { denoised, output: x.minus(denoised).times(1 / sigmas[i]), timestep: timesteps[i], sigma: sigmas[i] },
      previous: step,
    });
  }
  return step;
}
