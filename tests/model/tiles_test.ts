import { deepEqual, ok, rejects } from "node:assert/strict";
import { cpu } from "../../lib/graph/lowering.ts";
import { buildVaeDecoder } from "../../lib/graph/vae.ts";
import { buildVaeTile, tileNorms } from "../../lib/graph/vae_tiles.ts";
import { memoryOf } from "../../lib/measure/memory.ts";
import { open } from "../../lib/model/open.ts";
import { onnxRuntimeCpu } from "../../lib/model/sessions/onnxruntime.ts";
import { isTiny } from "../../lib/weights/architecture.ts";
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

Deno.test({
  name: "a tile takes no more memory than its window decoded whole, half more for its statistics apart",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using model = await open("models/pocket/base");
    const { vae: { architecture, weights } } = model.checkpoint;
    if (isTiny(architecture)) throw new Error("The pocket VAE is none.");
    const side = 64;
    const norms = Tensor.zeros([tileNorms(architecture), architecture.groups]);
    const ones = (tensor: Tensor) => tensor.map(() => 1);
    const channels = architecture.blockOutChannels[architecture.blockOutChannels.length - 1];
    const tile = {
      middle: Tensor.zeros([1, channels, side, side]),
      core: ones(Tensor.zeros([1, 1, side, side])),
      mean: norms,
      variance: ones(norms),
      given: ones(Tensor.zeros([])),
    };
    const whole = { latent_sample: Tensor.zeros([1, architecture.latentChannels, side, side]) };
    const takes = async (network: ReturnType<typeof buildVaeDecoder>, feeds: Readonly<Record<string, Tensor>>) => {
      const session = await onnxRuntimeCpu().load(network);
      const { memory: before } = await memoryOf(() => Promise.resolve());
      const { memory: { peak } } = await memoryOf(() => session.run(feeds));
      await session.release();
      return peak - before.resident;
    };
    const [ofWhole, ofTile] = [
      await takes(buildVaeDecoder(architecture, weights, { lowering: cpu }), whole),
      await takes(buildVaeTile(architecture, weights, { lowering: cpu }), tile),
    ];
    ok(ofTile < 1.5 * ofWhole, `${ofTile / 1e6} MB, whole ${ofWhole / 1e6}`);
  },
});

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
