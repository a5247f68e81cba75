import type { ComparedModel, CompareOptions } from "fewstep";
import { type Plan, planComparison, type PlannedCell } from "fewstep/sweep/plan.ts";
import { familyOf, ownRecipe } from "fewstep/sweep/ways.ts";
import { byModel } from "fewstep/sweep/task.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { goldenPath } from "../goldens/read.ts";
import { TINY } from "./tiny.ts";

const SIZE = { width: 32, height: 32 };
const plan = (options: Partial<CompareOptions>): Promise<Plan> =>
  planComparison({ models: [{ name: "tiny", model: TINY }], prompts: ["fish"], size: SIZE, ...options }, {
    warn: () => {},
  });

async function cell(model: Partial<ComparedModel>, options: Partial<CompareOptions> = {}): Promise<PlannedCell> {
  const { cells } = await plan({ models: [{ name: "tiny", model: TINY, ...model }], ...options });
  equal(cells.length, 1);
  return cells[0];
}

Deno.test("cells stand in the order models, recipes, prompts, seeds, and a plan is plain data", async () => {
  const made = await plan({
    models: [{ name: "a", model: TINY }, { name: "b", model: TINY, recipe: "lightning-4step" }],
    recipes: undefined,
    steps: [4, 2],
    prompts: ["fish", { prompt: "snow", seeds: [7n, "18446744073709551615"] }],
    seeds: [1, 2],
  });
  const told = made.cells.map(({ labels: { model, recipe, steps, prompt, seed } }) =>
    [model, recipe, steps, prompt, seed].join(" ")
  );
  equal(told.slice(0, 5), [
    "a base 4 fish 1",
    "a base 4 fish 2",
    "a base 4 snow 7",
    "a base 4 snow 18446744073709551615",
    "a base 2 fish 1",
  ]);
  equal(told.length, 8 + 4);
  equal(told.at(-1), "b lightning-4step 4 snow 18446744073709551615");
  equal(made.omitted, ["b is not run in 2 steps: its recipe lightning-4step is not for these."]);
  equal(made.cells.map(({ labels: { position } }) => position), [...told.keys()]);
  equal(byModel(made, made.cells).map(({ length }) => length), [12], "one set of files is loaded once");
  const again: Plan = JSON.parse(JSON.stringify(made));
  equal(again.cells.map(({ key }) => key), made.cells.map(({ key }) => key));
  equal(JSON.parse(JSON.stringify(again)), again);
});

Deno.test("equal work has one key, whatever it is called", async () => {
  const { key } = await cell({ recipe: "lightning-4step" });
  equal((await cell({ name: "other", recipes: ["lightning-4step"] })).key, key);
  equal((await cell({ recipes: [{ recipe: "lightning-4step", steps: 4, guidance: 1 }] })).key, key, "1 is no guidance");
  const whole = { model: goldenPath("tiny-sdxl"), recipe: "lightning-4step" };
  const unet = `${whole.model}/unet/diffusion_pytorch_model.safetensors`;
  equal((await cell({ ...whole, unet })).key, (await cell(whole)).key, "its own U-Net in its place");
  equal((await cell({ recipe: "lightning-4step", loraMode: "fuse" })).key, key, "there is no LoRA to fuse");
  equal((await cell({ recipe: "lightning-4step" }, { prompts: [{ prompt: "fish", negative: "mud" }] })).key, key);
});

Deno.test("everything that changes the bits changes the key", async () => {
  const guided = { recipes: [{ recipe: "base", steps: 2, guidance: 3 }] };
  const lora = goldenPath("lora-peft.safetensors");
  const keys = await Promise.all([
    cell({ recipe: "lightning-4step" }),
    cell({ recipe: "lightning-2step" }),
    cell(guided),
    cell({ recipes: [{ recipe: "base", steps: 2, guidance: 4 }] }),
    cell({ recipes: [{ recipe: "base", steps: 2, guidance: 3, sampler: "ddim" }] }),
    cell({ recipes: [{ recipe: "base", steps: 2, guidance: 3, guidanceRescale: 0.5 }] }),
    cell(guided, { prompts: [{ prompt: "fish", negative: "mud" }] }),
    cell(guided, { prompts: ["snow"] }),
    cell(guided, { seeds: [1] }),
    cell(guided, { size: { width: 64, height: 32 } }),
    cell({ ...guided, model: goldenPath("tiny-variant") }),
    cell({ ...guided, loras: [lora], model: goldenPath("tiny-sdxl") }),
    cell({ ...guided, loras: [{ path: lora, strength: 0.5 }], model: goldenPath("tiny-sdxl") }),
    cell({ ...guided, loras: [lora], loraMode: "fuse", model: goldenPath("tiny-sdxl") }),
  ]);
  equal(new Set(keys.map(({ key }) => key)).size, keys.length);
});

Deno.test("a model's own recipe is told by the names of its files, the last that changes it first", async () => {
  const base = { name: "x", model: "models/sd_xl_base_1.0" };
  equal(await ownRecipe(base), "base");
  equal(await ownRecipe({ ...base, unet: "sdxl_lightning_8step_unet.safetensors" }), "lightning-8step");
  equal(
    await ownRecipe({ ...base, model: "juggernaut", loras: ["sdxl_lightning_2step_lora.safetensors"] }),
    "lightning-2step",
  );
  equal(await ownRecipe({ ...base, loras: ["lcm_lora.safetensors", "xl_more_art.safetensors"] }), "lcm");
  equal(
    await ownRecipe({ ...base, unet: "lightning_4step_unet", recipe: "comfy-lightning-4step" }),
    "comfy-lightning-4step",
  );
  equal(["lightning-1step", "comfy-lightning-8step", "hyper-8step-cfg", "turbo"].map(familyOf), [
    "lightning",
    "comfy-lightning",
    "hyper-cfg",
    "turbo",
  ]);
});

Deno.test("what cannot be compared is refused in a sentence, before anything runs", async () => {
  await throwsSentence(
    () => plan({ prompts: [] }),
    "Cannot compare: the list of prompts is empty; at least one was wanted.",
  );
  await throwsSentence(() => plan({ steps: [2], recipes: ["base"] }), /^Cannot compare by recipes and steps at once/);
  await throwsSentence(() => plan({ steps: [0] }), /^Cannot compare in 0 steps/);
  await throwsSentence(
    () => plan({ recipes: ["fast"] }),
    /^Cannot compare by recipe "fast": there is none of that name/,
  );
  await throwsSentence(() => plan({ recipes: [{ recipe: "turbo", steps: 9 }] }), /^Cannot run turbo for 9 steps/);
  await throwsSentence(
    () => plan({ seeds: [1, 1] }),
    /^Cannot compare tiny by base with itself: prompt "fish" with seed 1/,
  );
  await throwsSentence(() => plan({ seeds: [1.5] }), /^Cannot draw from seed 1\.5/);
  await throwsSentence(() => plan({ seeds: ["2e3"] }), /^Cannot draw from seed 2e3/);
  await throwsSentence(
    () => plan({ models: [{ name: "l", model: TINY, recipe: "lightning-2step" }], steps: [4, 8] }),
    "Cannot compare: no cell is left to run. l is not run in 4 or 8 steps: its recipe lightning-2step is not for these.",
  );
  await throwsSentence(
    () => plan({ quality: { reference: "teacher" } }),
    "Cannot compare with the reference teacher: no cell is its. The models are tiny.",
  );
  await throwsSentence(
    () => plan({ steps: [2, 4], quality: { reference: "tiny" } }),
    /^Cannot compare with the reference tiny: it is run in several ways, base in 2, base in 4 steps\./,
  );
  await throwsSentence(() => plan({ quality: { clip: TINY } }), /as a CLIP: it holds no model\.safetensors/);
  await throwsSentence(() => plan({ quality: { captions: ["x"] } }), /a CLIP was wanted/);
  ok(
    (await plan({ steps: [2, 4], quality: { reference: { model: "tiny", steps: 4 } } })).cells.length === 2,
    "told apart",
  );
});
