/** What `inspect` tells of LoRA files, and which adapters it refuses by name. */

import { inspect, type LoraInspection } from "fewstep";
import { join } from "node:path";
import { equal, ok } from "../../assert.ts";
import { inFolder } from "../../files.ts";
import { goldenPath } from "../../goldens/read.ts";
import { save, type Stored } from "../../layouts.ts";

async function lora(path: string): Promise<LoraInspection> {
  const inspection = await inspect(path);
  if (inspection.inspected !== "lora") throw new Error(`${path} is not taken for a LoRA`);
  return inspection;
}

const NAMINGS: Readonly<Record<string, RegExp>> = {
  "kohya-diffusers": /^kohya, diffusers' block names; lora_down, lora_up$/,
  "kohya-original": /^kohya, original block names; lora_down, lora_up$/,
  "peft-metadata": /^diffusers' names with the part's prefix; lora_A, lora_B \(PEFT\)$/,
  "peft": /^diffusers' names with the part's prefix; lora_A, lora_B \(PEFT\)$/,
  "diffusers": /^diffusers' names with the part's prefix; .*lora\.down, lora\.up \(diffusers\)/,
};

for (const [name, naming] of Object.entries(NAMINGS)) {
  Deno.test(`${name}: naming, ranks, modules of each part`, async () => {
    const report = await lora(goldenPath(`lora-${name}.safetensors`));
    ok(naming.test(report.naming), report.naming);
    equal(report.ranks, [{ rank: 2, modules: 221 }]);
    const counted = (part: string) =>
      report.modules.filter((row) => row.part === part).reduce((sum, { modules }) => sum + modules, 0);
    equal([counted("unet"), counted("text_encoder"), counted("text_encoder_2")], [197, 12, 12]);
    equal([report.unknown, report.refused], [[], undefined]);
    // Alpha 4 at rank 2; without an alpha, the factor went into the matrices.
    equal(report.scales, [{ scale: /^(peft|diffusers)$/.test(name) ? 1 : 2, modules: 221 }]);
    ok(/text of width 192/.test(report.madeFor), report.madeFor);
    ok(report.recipes[0].command.includes("--model MODEL --lora "), report.recipes[0].command);
  });
}

const tensor = (shape: readonly number[], dtype = "F16"): Stored => ({
  dtype,
  shape,
  bytes: new Uint8Array(shape.reduce((a, b) => a * b, 1) * (dtype === "F32" ? 4 : 2)),
});

/** A kohya module with an alpha. */
function module(name: string, [inside, outside]: readonly [number, number], rank: number, alpha: number) {
  const value = tensor([], "F32");
  new DataView(value.bytes.buffer).setFloat32(0, alpha, true);
  return [
    [`${name}.lora_down.weight`, tensor([rank, inside])],
    [`${name}.lora_up.weight`, tensor([outside, rank])],
    [`${name}.alpha`, value],
  ] as const;
}

const K = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
const Q = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q";

Deno.test("sdxl_lightning_4step_lora: made for SDXL, ranks and alphas that differ are counted", () =>
  inFolder(async (folder) => {
    const path = join(folder, "sdxl_lightning_4step_lora.safetensors");
    await save(path, new Map([...module(K, [2048, 640], 4, 8), ...module(Q, [640, 640], 2, 1)]));
    const report = await lora(path);
    equal(report.madeFor, "SDXL (text of width 2048)");
    equal(report.ranks, [{ rank: 2, modules: 1 }, { rank: 4, modules: 1 }]);
    equal(report.scales, [{ scale: 0.5, modules: 1 }, { scale: 2, modules: 1 }]);
    equal(report.dtypes.map(({ dtype, tensors }) => [dtype, tensors]), [["F16", 4], ["F32", 2]]);
    equal(report.recipes.map(({ recipe }) => recipe), ["lightning-4step", "comfy-lightning-4step"]);
  }));

Deno.test("PCM's LoRAs share a recipe: the command says the steps of this one", () =>
  inFolder(async (folder) => {
    const path = join(folder, "pcm_sdxl_smallcfg_2step_converted.safetensors");
    await save(path, new Map(module(K, [2048, 640], 4, 4)));
    const { recipes: [{ command }] } = await lora(path);
    ok(command.includes(" --recipe pcm-smallcfg --steps 2 "), command);
  }));

Deno.test("a LoRA's folder is opened by the one file in it, and known by its name", () =>
  inFolder(async (folder) => {
    const repository = join(folder, "lcm-lora-sdxl");
    await Deno.mkdir(repository);
    await save(join(repository, "pytorch_lora_weights.safetensors"), new Map(module(K, [2048, 640], 4, 4)));
    const { distillation, recipes } = await lora(repository);
    equal([distillation.family, recipes[0].recipe], ["LCM-LoRA, 1 to 8 steps", "lcm"]);
  }));

Deno.test("kohya's remarks are told, its training log is not", () =>
  inFolder(async (folder) => {
    const path = join(folder, "style.safetensors");
    const log = { ss_tag_frequency: "{}".repeat(500), ss_network_dim: "4", ss_base_model_version: "sdxl_base_v1-0" };
    await save(path, new Map(module(K, [2048, 640], 4, 4)), { ...log, "modelspec.title": "x".repeat(300) });
    const { metadata } = await lora(path);
    equal(metadata, {
      ss_network_dim: "4",
      ss_base_model_version: "sdxl_base_v1-0",
      "modelspec.title": `${"x".repeat(199)}…`,
    });
  }));

/** One tensor of each kind of adapter that the kit does not apply. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  [`${K}.dora_scale`]: /makes it DoRA/,
  [`${K}.hada_w1_a`]: /makes it LoHa/,
  [`${K}.lokr_w1`]: /makes it LoKr/,
  [`${K}.lora_mid.weight`]: /Tucker core/,
  [`${K}.diff`]: /full difference/,
};

for (const [name, why] of Object.entries(REFUSED)) {
  Deno.test(`${name.slice(K.length)}: named, and no command is advised`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "style.safetensors");
      const beside = name.endsWith("hada_w1_a") || name.endsWith("lokr_w1") ? [] : module(Q, [640, 640], 2, 1);
      await save(path, new Map([...beside, [name, tensor([4, 4])]]));
      const { refused, recipes } = await lora(path);
      ok(why.test(refused ?? ""), String(refused));
      equal(recipes, []);
    }));
}

Deno.test("PEFT's settings that the kit does not apply are told as opening tells them", () =>
  inFolder(async (folder) => {
    const path = join(folder, "style.safetensors");
    const modules = new Map(module(Q, [640, 640], 2, 1));
    await save(path, modules, { lora_adapter_metadata: JSON.stringify({ "unet.use_dora": true }) });
    const { refused, recipes } = await lora(path);
    ok(/its metadata make it DoRA/.test(refused ?? ""), String(refused));
    equal(recipes, []);
    await save(path, modules, { lora_adapter_metadata: "{" });
    ok(/it is no JSON object/.test((await lora(path)).refused ?? ""), "taken for settings");
  }));

Deno.test("a matrix without its other half is refused, a stranger is listed", () =>
  inFolder(async (folder) => {
    const path = join(folder, "style.safetensors");
    const [down, , alpha] = module(K, [2048, 640], 4, 4);
    await save(path, new Map([...module(Q, [640, 640], 2, 1), down, alpha, ["stranger", tensor([1])]]));
    const { refused, unknown } = await lora(path);
    equal(refused, `"${K}" has no up matrix to its other. Is the file complete?`);
    equal(unknown, ["stranger"]);
  }));
