import { equal, ok } from "node:assert/strict";
import { open } from "../../lib/model/open.ts";
import { latentSpaceOf, latentToRgb } from "../../lib/view/latent.ts";

Deno.test("the pocket models' linear colours follow their VAE; if they changed, deno task pictures refits", async () => {
  await using model = await open("models/pocket/base", { unet: "models/pocket/lightning_4step_unet.safetensors" });
  equal(latentSpaceOf(model.checkpoint.vae.architecture), "pocket");
  const { step, image } = await model.generate({ prompt: "red apple, wood", seed: 3, recipe: "lightning-4step" });
  const guess = latentToRgb(step.latent, "pocket");
  const [, , side] = guess.shape;
  let [sum, squares, errors] = [0, 0, 0];
  for (let index = 0; index < guess.data.length; index++) {
    const [channel, y, x] = [Math.floor(index / side ** 2), Math.floor(index / side) % side, index % side];
    let mean = 0;
    for (let pixel = 0; pixel < 64; pixel++) {
      mean += image.data[(channel * 8 * side + 8 * y + (pixel >> 3)) * 8 * side + 8 * x + (pixel & 7)] / 64;
    }
    sum += mean;
    squares += mean ** 2;
    errors += (mean - guess.data[index]) ** 2;
  }
  const explained = 1 - errors / (squares - sum ** 2 / guess.data.length);
  ok(explained > 0.7, `the fit explains ${explained.toFixed(2)} of the decoded picture's colours`);
});
