/**
 * Every file that the article names, by its published name: what `inspect` says, and that it opens and runs. At a small
 * width the tensors are those of an independent script that diffusers judged; at full size their names and shapes are
 * held against diffusers' own networks by tests/goldens/published.py.
 */

import { inspect, type Inspection, open, type OpenOptions } from "fewstep";
import { dirname, join } from "node:path";
import { equal, ok } from "../assert.ts";
import { copyFolder, editJson, inFolder } from "../files.ts";
import { goldenPath, readJson } from "../goldens/read.ts";
import { FOLDER, layouts, write } from "../layouts.ts";
import { publishedTensors, writeSparse } from "../synthetic.ts";

/** As its repository on the hub names it. */
interface Published {
  readonly name: string;
  readonly layout: string;
  readonly family: RegExp;
  /** The first that is advised; Juggernaut is a base model. */
  readonly recipe: string;
  /** How it is opened, on a small model. */
  readonly as: "model" | "unet" | "lora";
}

const LIGHTNING = "ByteDance--SDXL-Lightning";
const lightning = (file: string, layout: string, as: Published["as"], steps: number): Published => ({
  name: `${LIGHTNING}/${file}.safetensors`,
  layout,
  family: new RegExp(`^SDXL-Lightning, ${steps} step`),
  recipe: `lightning-${steps}step`,
  as,
});

const SINGLE = "single file, original names";
const UNET = "U-Net file, diffusers names";
const LORA = "kohya, diffusers' block names; lora_down, lora_up";
const FOLDER_LAYOUT = "diffusers folder";

const FILES: readonly Published[] = [
  {
    name: "stabilityai--stable-diffusion-xl-base-1.0",
    layout: FOLDER_LAYOUT,
    family: /^SDXL base, not distilled$/,
    recipe: "base",
    as: "model",
  },
  ...[2, 4, 8].map((steps) => lightning(`sdxl_lightning_${steps}step`, SINGLE, "model", steps)),
  lightning("sdxl_lightning_1step_x0", SINGLE, "model", 1),
  ...[2, 4, 8].map((steps) => lightning(`sdxl_lightning_${steps}step_unet`, UNET, "unet", steps)),
  lightning("sdxl_lightning_1step_unet_x0", UNET, "unet", 1),
  ...[2, 4, 8].map((steps) => lightning(`sdxl_lightning_${steps}step_lora`, LORA, "lora", steps)),
  {
    name: "RunDiffusion--Juggernaut-XL-v9/Juggernaut-XL_v9_RunDiffusionPhoto_v2.safetensors",
    layout: SINGLE,
    family: /^cannot tell$/,
    recipe: "base",
    as: "model",
  },
  {
    name: "stabilityai--sdxl-turbo",
    layout: FOLDER_LAYOUT,
    family: /^SDXL-Turbo, 1 to 4 steps$/,
    recipe: "turbo",
    as: "model",
  },
  {
    name: "latent-consistency--lcm-lora-sdxl/pytorch_lora_weights.safetensors",
    layout: LORA,
    family: /^LCM-LoRA, 1 to 8 steps$/,
    recipe: "lcm",
    as: "lora",
  },
];

/** Writes the file or folder at a small width. */
async function put(path: string, { layout, name }: Published): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  if (layout === SINGLE) await write(path, layouts["single-original"]);
  else if (layout === UNET) await write(path, layouts["unet-diffusers"]);
  else if (layout === LORA) await Deno.copyFile(goldenPath("lora-kohya-diffusers.safetensors"), path);
  else {
    await copyFolder(FOLDER, path);
    // Both are published with the variant fp16; here, as people download it, without the other.
    for (const [part, stem] of [["unet", "diffusion_pytorch_model"], ["text_encoder", "model"]]) {
      await Deno.rename(join(path, part, `${stem}.safetensors`), join(path, part, `${stem}.fp16.safetensors`));
    }
    const turbo = { _class_name: "EulerAncestralDiscreteScheduler", timestep_spacing: "trailing" };
    if (name.endsWith("turbo")) await editJson(join(path, "scheduler", "scheduler_config.json"), turbo);
  }
}

const layoutOf = (report: Inspection) => report.inspected === "lora" ? report.naming : report.layout;

for (const file of FILES) {
  const { name, layout, family, recipe, as } = file;
  Deno.test(`${name}: known by its name and its tensors, opened, run by its recipe`, () =>
    inFolder(async (folder) => {
      const path = join(folder, `models--${name}`);
      await put(path, file);
      const report = await inspect(path);
      equal(layoutOf(report), layout);
      ok(family.test(report.distillation.family), report.distillation.family);
      equal(report.recipes[0].recipe, recipe);
      ok(report.recipes[0].command.includes(`--${as} ${path}`), report.recipes[0].command);

      const options: Record<Published["as"], OpenOptions> = {
        model: { tokenizer: FOLDER },
        unet: { unet: path },
        lora: { loras: [path] },
      };
      await using model = await open(as === "model" ? path : FOLDER, options[as]);
      const steps = recipe === "base" ? 2 : undefined;
      const { step } = await model.generate({
        prompt: "snow",
        seed: 1,
        recipe,
        steps,
        size: { width: 16, height: 16 },
      });
      ok(step.done && step.latent.data.every(Number.isFinite), `stopped at ${step.index} of ${step.count}`);
      const prediction = /x0/.test(name) ? "sample" : "epsilon";
      equal(step.trajectory.prediction, prediction);
    }));
}

Deno.test("at full size: every name and shape that diffusers' networks have, the LoRA's 788 modules", async () => {
  const { files } = readJson<{ files: Record<string, { tensors: number; sha256: string }> }>("published.json");
  for (const [name, tensors] of Object.entries(await publishedTensors())) {
    const lines = [...tensors].map(([key, shape]) => `${key} ${shape}`).sort((a, b) => a < b ? -1 : 1);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
    equal([name, tensors.size, new Uint8Array(digest).toHex()], [name, files[name].tensors, files[name].sha256]);
  }
});

Deno.test("at full size: inspect misses nothing, knows nothing strange, and the LoRA finds every module", () =>
  inFolder(async (folder) => {
    const published = await publishedTensors();
    const single = join(folder, "sdxl_lightning_4step.safetensors");
    const lora = join(folder, "sdxl_lightning_4step_lora.safetensors");
    await writeSparse(single, published["single-original"]);
    await writeSparse(lora, published.lora);
    const report = await inspect(single);
    if (report.inspected !== "checkpoint") throw new Error("taken for a LoRA");
    equal([report.layout, report.structure?.name, report.faults, report.unknown], [SINGLE, "SDXL base", [], []]);
    equal(
      report.parts.map(({ keys }) => [keys?.missing, keys?.misfits, keys?.unknown]),
      [1, 2, 3, 4].map(() => [[], [], []]),
    );
    equal(report.tokenizers, ["CLIP's, from the kit"]);
    await using model = await open(single, { loras: [lora] });
    equal([model.loras[0].lora.modules.unet.size, model.loras[0].lora.unmatched], [788, []]);
    const { bytes } = await inspect(lora);
    ok(Math.abs(bytes - 393_854_592) < 400_000, `${bytes} bytes`);
  }));
