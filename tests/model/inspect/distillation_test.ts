/** What weights were distilled to, by what people wrote: names, metadata, scheduler files. */

import { inspect, recipes } from "fewstep";
import { SDXL_SCHEDULER } from "fewstep/diffusion/mod.ts";
import { allowedRecipes, guessDistillation } from "fewstep/model/inspect/distillation.ts";
import { join } from "node:path";
import { equal, ok } from "../../assert.ts";
import { copyFolder, editJson, inFolder } from "../../files.ts";
import { goldenPath } from "../../goldens/read.ts";
import { layouts, write } from "../../layouts.ts";

const guess = (path: string, metadata: Record<string, string> = {}) =>
  guessDistillation({ path, metadata: new Map(Object.entries(metadata)) });

/** Published file names, and the first recipe for each; none where the kit has no recipe. */
const PUBLISHED: Readonly<Record<string, string | undefined>> = {
  "sd_xl_base_1.0.safetensors": "base",
  "sdxl_lightning_1step_x0.safetensors": "lightning-1step",
  "sdxl_lightning_2step.safetensors": "lightning-2step",
  "sdxl_lightning_4step.safetensors": "lightning-4step",
  "sdxl_lightning_8step.safetensors": "lightning-8step",
  "sdxl_lightning_1step_unet_x0.safetensors": "lightning-1step",
  "sdxl_lightning_2step_unet.safetensors": "lightning-2step",
  "sdxl_lightning_4step_unet.safetensors": "lightning-4step",
  "sdxl_lightning_8step_unet.safetensors": "lightning-8step",
  "sdxl_lightning_2step_lora.safetensors": "lightning-2step",
  "sdxl_lightning_4step_lora.safetensors": "lightning-4step",
  "sdxl_lightning_8step_lora.safetensors": "lightning-8step",
  "sd_xl_turbo_1.0.safetensors": "turbo",
  "sd_xl_turbo_1.0_fp16.safetensors": "turbo",
  "stabilityai/sdxl-turbo/unet/diffusion_pytorch_model.fp16.safetensors": "turbo",
  "lcm-lora-sdxl/pytorch_lora_weights.safetensors": "lcm",
  "models--latent-consistency--lcm-lora-sdxl/snapshots/a18548dd/pytorch_lora_weights.safetensors": "lcm",
  "lcm-sdxl/diffusion_pytorch_model.fp16.safetensors": "lcm-full",
  "TCD-SDXL-LoRA/pytorch_lora_weights.safetensors": "tcd",
  "Hyper-SDXL-1step-Unet.safetensors": "hyper-1step",
  "Hyper-SDXL-1step-Unet-Comfyui.fp16.safetensors": "hyper-1step",
  "Hyper-SDXL-1step-lora.safetensors": "hyper-unified",
  "Hyper-SDXL-2steps-lora.safetensors": "hyper-2step",
  "Hyper-SDXL-4steps-lora.safetensors": "hyper-4step",
  "Hyper-SDXL-8steps-lora.safetensors": "hyper-8step",
  "Hyper-SDXL-8steps-CFG-lora.safetensors": "hyper-8step-cfg",
  "Hyper-SDXL-12steps-CFG-lora.safetensors": undefined,
  "dmd2_sdxl_4step_lora.safetensors": "dmd2-4step",
  "dmd2_sdxl_4step_lora_fp16.safetensors": "dmd2-4step",
  "dmd2_sdxl_1step_unet_fp16.bin": "dmd2-1step",
  "pcm_sdxl_smallcfg_2step_converted.safetensors": "pcm-smallcfg",
  "pcm_sdxl_normalcfg_16step_converted.safetensors": "pcm-normalcfg",
};

for (const [path, recipe] of Object.entries(PUBLISHED)) {
  Deno.test(`${path}: ${recipe ?? "no recipe"}, by its published name`, () => {
    const { certainty, recipes: fitting, reason } = guess(path);
    equal([certainty, fitting[0]], ["published name", recipe]);
    ok(fitting.every((name) => Object.hasOwn(recipes, name)), "a recipe that does not exist");
    ok(/^by its (file|repository's) name, /.test(reason), reason);
  });
}

/** Fine-tunes and merges: a word, and sometimes the steps. */
const WORDS: Readonly<Record<string, string>> = {
  "juggernautXL_v9Rdphoto2Lightning.safetensors": "lightning-4step",
  "RealVisXL_V4.0_Lightning_8steps.safetensors": "lightning-8step",
  "DreamShaperXL_Turbo_v2_1.safetensors": "turbo",
  "albedobase-hyper-8step.safetensors": "hyper-8step",
  "my_lcm_sdxl.safetensors": "lcm",
};

for (const [path, recipe] of Object.entries(WORDS)) {
  Deno.test(`${path}: likely ${recipe}, by a word`, () => {
    const { certainty, recipes: fitting } = guess(path);
    equal([certainty, fitting[0]], ["likely", recipe]);
  });
}

Deno.test("a name that says nothing is not guessed at: the files of the article's own model, a VAE's, a home folder's", () => {
  for (
    const path of [
      "Juggernaut-XL_v9_RunDiffusionPhoto_v2.safetensors",
      "/home/turbo/model.safetensors",
      "calm.safetensors",
    ]
  ) {
    const { family, recipes: fitting } = guess(path);
    equal([family, fitting], ["cannot tell", ["base"]], path);
  }
});

Deno.test("metadata speaks where the name does not: the title of modelspec, the output name of kohya", () => {
  const { family, certainty, reason } = guess("model.safetensors", { "modelspec.title": "Photo Lightning 4-step" });
  equal([family, certainty], ["SDXL-Lightning, 4 steps", "likely"]);
  equal(reason, 'by a word in its metadata, modelspec.title "Photo Lightning 4-step"');
  equal(guess("model.safetensors", { ss_output_name: "style-lcm" }).recipes, ["lcm"]);
  equal(guess("sdxl_lightning_2step.safetensors", { "modelspec.title": "Turbo" }).recipes[0], "lightning-2step");
});

Deno.test("the scheduler file speaks last: LCM's and TCD's samplers, Turbo's sampler and spacing", () => {
  const by = (changes: Partial<typeof SDXL_SCHEDULER>) =>
    guessDistillation({ path: "model", metadata: new Map(), scheduler: { ...SDXL_SCHEDULER, ...changes } }).recipes;
  equal(by({}), ["base"]);
  equal(by({ sampler: "lcm" }), ["lcm"]);
  equal(by({ sampler: "tcd" }), ["tcd"]);
  equal(by({ sampler: "euler-ancestral", spacing: "trailing" }), ["turbo"]);
  equal(by({ sampler: "euler-ancestral" }), ["base"]);
});

Deno.test("a U-Net that takes the guidance scale as an input is LCM's, by its structure", () =>
  inFolder(async (folder) => {
    const path = join(folder, "unet.safetensors");
    await write(path, layouts["unet-diffusers"], (tensors) => {
      tensors.set("time_embedding.cond_proj.weight", {
        dtype: "F16",
        shape: [32, 256],
        bytes: new Uint8Array(2 * 32 * 256),
      });
    });
    const { distillation, recipes } = await inspect(path);
    equal([distillation.certainty, recipes.map(({ recipe }) => recipe)], ["structure", ["lcm-full"]]);
  }));

Deno.test("weights that predict v are not advised to run recipes for epsilon", () =>
  inFolder(async (folder) => {
    equal(allowedRecipes(["lightning-4step", "base"], "v").fitting, ["base"]);
    equal(allowedRecipes(["lightning-1step"], "epsilon"), { fitting: ["lightning-1step"], notes: [] });
    const model = join(folder, "my-turbo");
    await copyFolder(goldenPath("tiny-sdxl"), model);
    await editJson(join(model, "scheduler", "scheduler_config.json"), { prediction_type: "v_prediction" });
    const report = await inspect(model);
    equal(report.recipes, []);
    equal("notes" in report && report.notes, [
      "The recipe turbo is for weights that predict epsilon; these predict v.",
    ]);
  }));
