import { deepEqual, ok, rejects } from "node:assert/strict";
import { open } from "../../lib/model/open.ts";
import { windows } from "../../lib/model/tiles.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { goldenPath } from "../goldens/read.ts";

/** A smooth picture, `[1, 3, height, width]`: light that falls off, and a bright corner that no tile but one sees. */
function smooth(height: number, width: number): Tensor {
  const data = new Float32Array(3 * height * width);
  for (let i = 0; i < data.length; i++) {
    const [color, y, x] = [Math.floor(i / height / width), Math.floor(i / width) % height / height, i % width / width];
    data[i] = 0.3 + 0.4 * x * (1 - y) + 0.2 * Math.sin(3 * x + color) + 0.1 * Math.cos(5 * y * x + color);
  }
  return new Tensor(data, [1, 3, height, width]);
}

/** Of 255, everywhere: what is allowed away from seams is kept on them too. */
const allowed = 2;

/** Of the second, as of SDXL's own, each level has three resnets: a window is 13 latent cells wider on each side. */
const vaes = [
  { name: "the pocket VAE", path: "models/pocket/base", height: 64, width: 224 },
  { name: "a random VAE of SDXL's shape", path: goldenPath("tiny-deep"), height: 64, width: 512 },
];

for (const { name, path, height, width } of vaes) {
  Deno.test(`tiles of ${name} make the same picture as the whole, on seams too`, async () => {
    await using model = await open(path);
    const picture = smooth(height, width);
    const latent = await model.encode(picture);
    const whole = await model.decode(latent);
    const tiled = await model.decode(latent, { tile: 64 });
    deepEqual(tiled.shape, whole.shape);
    const worst = whole.minus(tiled).data.reduce((most, value) => Math.max(most, 255 * Math.abs(value)), 0);
    ok(worst < allowed, `${worst} of 255`);
    // What is small enough for one window has nothing to guess: the values are the whole's but for rounding.
    const small = await model.decode(latent, { tile: 512 });
    const rounding = whole.minus(small).data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    ok(rounding < 1e-4, `${rounding}`);
  });
}

Deno.test("every window has the tile's size and what is around it at most, and cores cover the side once", () => {
  for (const [side, core, reach] of [[128, 64, 13], [17, 8, 9], [5, 8, 9], [100, 33, 2]]) {
    const all = windows(side, core, reach);
    ok(all.every(({ start, end }) => start >= 0 && end <= side && end - start <= core + 2 * reach));
    deepEqual(all.map(({ from }) => from), [0, ...all.map(({ to }) => to)].slice(0, -1));
    deepEqual(all[all.length - 1].to, side);
  }
});

Deno.test("a tile that is none, and a preview in tiles, are refused", async () => {
  await using model = await open("models/pocket/base");
  await rejects(model.decode(Tensor.zeros([1, 4, 8, 8]), { tile: 100 }), /tiles of 100 pixels: a multiple of 8/);
});
