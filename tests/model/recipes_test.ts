/**
 * Every recipe whose weights the pocket family has, against diffusers with the same seeds: latents within 1e-4.
 * Goldens: tests/goldens/runs.py pocket, which makes those whose weights are there.
 */

import { bake, type Model, open, recipes } from "fewstep";
import { join } from "node:path";
import { close, equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldensNamed, readGolden } from "../goldens/read.ts";

const POCKET = new URL("../../models/pocket/", import.meta.url).pathname;
const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

const { prompt, seed } = animal();

function animal(): { readonly prompt: string; readonly seed: number } {
  const rows: { name: string; prompt: string; seed: number }[] = JSON.parse(
    Deno.readTextFileSync(new URL("../../data/prompts/article.json", import.meta.url)),
  );
  const row = rows.find(({ name }) => name === "animal");
  if (row === undefined) throw new Error("data/prompts/article.json has no prompt named animal.");
  return row;
}

for (const name of goldensNamed(/^run-child-.*(?=\.safetensors$)/)) {
  const golden = readGolden(`${name}.safetensors`);
  const { recipe = "", steps, weights = "" } = golden.request;
  const sameLatents = async (model: Model) => {
    const [, , , , side] = golden.get("latents").shape;
    const size = { width: side * model.pixelsPerLatent, height: side * model.pixelsPerLatent };
    const { step } = await model.generate({ prompt, seed: [seed, 1], recipe, steps, size });
    equal([...step.trajectory.schedule.timesteps], [...golden.get("timesteps").data], "timesteps");
    step.path.forEach(({ latent }, i) => close(latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`));
  };
  Deno.test(`${name}: ${recipe} in ${steps} steps with ${weights}, every latent of diffusers`, async () => {
    const lora = weights.endsWith("_lora.safetensors");
    const options = lora ? { loras: [POCKET + weights] } : { unet: POCKET + weights };
    await using model = await open(`${POCKET}base`, options);
    await sameLatents(model);
  });

  if (!recipe.startsWith("lightning-") || !weights.includes("_unet")) continue;
  Deno.test(`${name}: its full form, ${weights} and the base in one checkpoint, gives the same latents`, () =>
    inFolder(async (folder) => {
      const full = join(folder, weights.replace("_unet", ""));
      {
        await using model = await open(`${POCKET}base`, { unet: POCKET + weights });
        await bake(model, full).catch(async (error) => {
          // Weights that a file without configs would not tell are published as a folder.
          if (!(error instanceof RangeError)) throw error;
          await bake(model, full, { layout: "folder" });
        });
      }
      await using model = await open(full, { tokenizer: `${POCKET}base` });
      await sameLatents(model);
    }));
}

/** What diffusers gave on an H100, where torch's CUDA generators draw: the kit computes here. Goldens: tests/goldens/gpu.py. */
for (const name of goldensNamed(/^run-cuda-.*(?=\.safetensors$)/)) {
  const golden = readGolden(`${name}.safetensors`);
  const { recipe = "", steps, weights } = golden.request;
  const half = name.endsWith("-half");
  Deno.test(`${name}: ${recipe} on a GPU, every latent of diffusers from the same seeds`, async () => {
    await using model = await open(`${POCKET}base`, weights === undefined ? {} : { unet: POCKET + weights });
    const drawn = { rng: "cuda", noiseType: half ? "fp16" : "fp32" } as const;
    const size = { width: 128, height: 128 };
    const { step } = await model.generate({ prompt, seed: [seed, 1], recipe, steps, size, ...drawn });
    close(step.noise.data, golden.get("noise").data, half ? 1e-4 : 1e-6, "noise");
    // There all is computed in half floats, here in float32.
    const tolerance = half ? 1e-2 : 1e-4;
    step.path.forEach(({ latent }, i) =>
      close(latent.data, golden.get("latents").at(i).data, tolerance, `latents ${i}`)
    );
  });
}

/** Weights of the family by the recipe that runs them; see training/pocket/export.py. */
const FAMILY: Readonly<Record<string, readonly string[]>> = {
  "lightning-1step": ["lightning_1step_unet_x0"],
  "lightning-2step": ["lightning_2step_unet", "lightning_2step_lora"],
  "lightning-4step": ["lightning_4step_unet", "lightning_4step_lora"],
  "lightning-8step": ["lightning_8step_unet", "lightning_8step_lora"],
  "turbo": ["turbo_unet"],
  "lcm": ["lcm_lora"],
  "tcd": ["lcm_lora"],
};

for (const [recipe, files] of Object.entries(FAMILY)) {
  for (const file of files) {
    const there = await exists(`${POCKET}${file}.safetensors`);
    if (!there) console.log(`skipped: ${recipe} with ${file}, as models/pocket has no ${file}.safetensors`);
    Deno.test({
      name: `${recipe} with ${file} has a golden`,
      ignore: !there,
      fn: () => {
        ok(recipe in recipes, `there is no recipe ${recipe}`);
        const held = goldensNamed(/^run-child-.*(?=\.safetensors$)/).map((name) =>
          readGolden(`${name}.safetensors`).request
        );
        ok(
          held.some((request) => request.recipe === recipe && request.weights === `${file}.safetensors`),
          "none: make it with python tests/goldens/runs.py pocket",
        );
      },
    });
  }
}
