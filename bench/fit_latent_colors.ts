/**
 * `deno task fit-colors`: fits the linear map from the pocket VAE's latents to colours, which previews use in place
 * of the VAE, and writes it to lib/view/latent_rgb.json. To be run again whenever the pocket VAE changes.
 *
 * Least squares of the decoded pictures, averaged over the 8×8 pixels of each latent value, on the four channels and
 * a constant; over the x0 predictions of every step of 24 prompts.
 */

import { open, Tensor } from "fewstep";
import { isTiny } from "fewstep/weights/architecture.ts";

const output = "lib/view/latent_rgb.json";

const subjects = ["red apple", "sunflower", "tiger face", "castle", "owl", "pizza", "fish", "woman"];
const places = ["on a wooden table", "snow forest", "neon lights, night"];

/** Averages of squares of 8×8 pixels, in −1..1: `[1, 3, H, W]` to `[1, 3, H/8, W/8]`. */
function shrink(picture: Tensor): Tensor {
  const [, , height, width] = picture.shape;
  const [h, w] = [height / 8, width / 8];
  const out = new Float32Array(3 * h * w);
  picture.data.forEach((value, index) => {
    const [channel, y, x] = [Math.floor(index / (height * width)), Math.floor(index / width) % height, index % width];
    out[(channel * h + (y >> 3)) * w + (x >> 3)] += (value * 2 - 1) / 64;
  });
  return new Tensor(out, [1, 3, h, w]);
}

/** Solves `a·x = b` for each column of b, by elimination with pivots. */
function solve(a: readonly number[][], b: readonly number[][]): number[][] {
  const rows = a.map((row, index) => [...row, ...b[index]]);
  const size = a.length;
  for (let column = 0; column < size; column++) {
    const pivot = rows.slice(column).reduce((best, row) => Math.abs(row[column]) > Math.abs(best[column]) ? row : best);
    rows.splice(rows.indexOf(pivot), 1);
    rows.splice(column, 0, pivot);
    rows.forEach((row, index) => {
      if (index === column) return;
      const factor = row[column] / pivot[column];
      for (let k = column; k < row.length; k++) row[k] -= factor * pivot[k];
    });
  }
  return rows.map((row, index) => row.slice(size).map((value) => value / row[index]));
}

const samples: { latent: Tensor; colors: Tensor }[] = [];
await using model = await open("models/pocket/base", { unet: "models/pocket/lightning_4step_unet.safetensors" });
for (const [index, prompt] of subjects.flatMap((subject) => places.map((place) => `${subject}, ${place}`)).entries()) {
  for await (const step of model.steps({ prompt, seed: index, recipe: "lightning-4step" })) {
    samples.push({ latent: step.denoised, colors: shrink(await model.decode(step.denoised)) });
  }
}

const square = Array.from({ length: 5 }, () => [0, 0, 0, 0, 0]);
const mixed = Array.from({ length: 5 }, () => [0, 0, 0]);
const each = (visit: (inputs: readonly number[], colors: readonly number[]) => void) => {
  for (const { latent, colors } of samples) {
    const size = latent.data.length / 4;
    for (let pixel = 0; pixel < size; pixel++) {
      visit(
        [0, 1, 2, 3].map((channel) => latent.data[channel * size + pixel]).concat(1),
        [0, 1, 2].map((color) => colors.data[color * size + pixel]),
      );
    }
  }
};
each((inputs, colors) =>
  inputs.forEach((a, i) => {
    inputs.forEach((b, j) => square[i][j] += a * b);
    colors.forEach((color, k) => mixed[i][k] += a * color);
  })
);
const map = solve(square, mixed);

let [count, sum, squares, errors] = [0, 0, 0, 0];
each((inputs, colors) =>
  colors.forEach((color, k) => {
    const guess = inputs.reduce((total, input, i) => total + input * map[i][k], 0);
    count++;
    sum += color;
    squares += color * color;
    errors += (color - guess) ** 2;
  })
);
const explained = 1 - errors / (squares - sum * sum / count);

const rounded = map.map((row) => row.map((value) => Number(value.toFixed(4))));
const { architecture } = model.checkpoint.vae;
if (isTiny(architecture)) {
  throw new Error("Cannot fit colours to a tiny autoencoder: models/pocket/base has a full one.");
}
const known = JSON.parse(await Deno.readTextFile(output));
known.pocket = {
  widths: architecture.blockOutChannels,
  origin: `bench/fit_latent_colors.ts on models/pocket: ${count / 3} values, R² ${explained.toFixed(3)}`,
  matrix: rounded.slice(0, 4),
  bias: rounded[4],
};
const json = JSON.stringify(known, null, 2).replace(
  /\[\s+(-?[\d.]+(?:,\s+-?[\d.]+)*)\s+\]/g,
  (_, list: string) => `[${list.replace(/\s+/g, " ")}]`,
);
await Deno.writeTextFile(output, json + "\n");
console.log(`${output}: ${known.pocket.origin}`);
