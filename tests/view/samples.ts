/** Small tensors and steps that look like something, the same on every machine. */

import { Step } from "../../lib/model/step.ts";
import { Conditioning } from "../../lib/model/conditioning.ts";
import { plan, timeIds } from "../../lib/diffusion/mod.ts";
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

/** Two steps of lightning-4step over `waves`, with fixed times. */
export function sampleSteps(batch = 1): [noise: Step, first: Step] {
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
