import { spectrum, statistics } from "fewstep/measure/latent.ts";
import { torchGenerator } from "fewstep/tensor/random/mod.ts";
import { batchNoise } from "fewstep/tensor/random/mod.ts";
import { Tensor } from "fewstep/tensor/tensor.ts";
import { equal, ok, throwsSentence } from "../assert.ts";

const noise = (shape: readonly number[]) => batchNoise([torchGenerator(3)], shape).noise;

Deno.test("white noise has its variance at every frequency", () => {
  const { frequency, power } = spectrum(noise([4, 64, 48]).times(3));
  equal(frequency.length, 32);
  equal(frequency.at(-1), 0.5);
  for (const [ring, value] of power.entries()) {
    if (ring > 3) ok(Math.abs(value - 9) < 2, `${value} at ${frequency[ring]}`); // few values on the first rings
  }
});

Deno.test("a wave has all of its power at its own frequency, along rows, columns and both", () => {
  for (const [kx, ky] of [[3, 0], [0, 3], [2, 2], [8, 0]]) {
    const wave = Tensor.of(
      Array.from({ length: 256 }, (_, i) => Math.cos(2 * Math.PI * (kx * (i % 16) + ky * Math.floor(i / 16)) / 16)),
      [1, 1, 16, 16],
    );
    const { power } = spectrum(wave);
    const ring = Math.round(Math.hypot(kx, ky)) - 1;
    power.forEach((value, index) => ok(index === ring ? value > 1 : value < 1e-9, `${value} on ring ${index + 1}`));
  }
});

Deno.test("the power is that of the sum which defines the transform, for sizes with and without halves", () => {
  for (const [channels, height, width] of [[3, 6, 20], [2, 8, 16], [1, 5, 7]]) {
    const latent = noise([channels, height, width]);
    const longer = Math.max(height, width);
    const rings = Array.from({ length: Math.floor(longer / 2) }, (): number[] => []);
    for (let v = 0; v < height; v++) {
      for (let u = 0; u < width; u++) {
        const cycles = Math.hypot(Math.min(u, width - u) / width, Math.min(v, height - v) / height);
        const ring = rings[Math.round(longer * cycles) - 1];
        for (let channel = 0; channel < channels && ring !== undefined; channel++) {
          let [real, imaginary] = [0, 0];
          for (let place = 0; place < height * width; place++) {
            const angle = 2 * Math.PI * (u * (place % width) / width + v * Math.floor(place / width) / height);
            real += latent.data[channel * height * width + place] * Math.cos(angle);
            imaginary -= latent.data[channel * height * width + place] * Math.sin(angle);
          }
          ring.push((real ** 2 + imaginary ** 2) / (height * width));
        }
      }
    }
    const { power } = spectrum(latent);
    rings.forEach((values, ring) => {
      const wanted = values.reduce((sum, value) => sum + value, 0) / values.length;
      ok(Math.abs(power[ring] / wanted - 1) < 1e-9, `${power[ring]} for ${wanted} on ring ${ring + 1}`);
    });
  }
});

Deno.test("odd sizes are transformed too, and what is no latent or no number is refused", async () => {
  const { power } = spectrum(noise([4, 15, 9]));
  ok(power.every((value) => value > 0.3 && value < 3), power.join());
  await throwsSentence(() => spectrum(Tensor.zeros([4, 4])), /Cannot take the spectrum of \[4, 4\]/);
  const broken = noise([4, 8, 8]);
  broken.data[70] = NaN;
  await throwsSentence(() => spectrum(broken), /channel 1 holds NaN or infinite values/);
});

Deno.test("statistics leave out what is not finite, and count it", () => {
  const { mean, deviation, least, most, notFinite } = statistics(Tensor.of([1, 3, NaN, Infinity, -Infinity]));
  equal([mean, deviation, least, most, notFinite], [2, 1, 1, 3, 3]);
});
