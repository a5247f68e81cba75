/** What `inspect` tells of every published layout, whole and damaged. */

import { type CheckpointInspection, inspect, open } from "fewstep";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../../assert.ts";
import { copyFolder, editJson, inFolder, writeRaw } from "../../files.ts";
import { FOLDER, layouts, save, type Stored, write } from "../../layouts.ts";
import { goldenPath } from "../../goldens/read.ts";
import { SDXL_CONFIGS, writeSyntheticFolder } from "../../synthetic.ts";

const POCKET = "models/pocket/base";

async function checkpoint(path: string): Promise<CheckpointInspection> {
  const inspection = await inspect(path);
  if (inspection.inspected !== "checkpoint") throw new Error(`${path} is taken for a LoRA`);
  return inspection;
}

const partNames = ({ parts }: CheckpointInspection) => parts.map(({ part }) => part);
const partOf = ({ parts }: CheckpointInspection, name: string) => {
  const part = parts.find(({ part }) => part === name);
  if (part?.keys === undefined) throw new Error(`no report of ${name}`);
  return { ...part, keys: part.keys };
};

/** How the tensors of tiny-sdxl are to be found in each layout: pieces, transposed, squeezed. */
const LAYOUTS = {
  // 2 layers × q, k, v × weight, bias; q, k, v, out of the VAE's decoder and encoder
  "single-original": ["single file, original names", 12, 1, 8],
  "single-diffusers": ["single file, diffusers names", 0, 0, 0],
  "unet-original": ["U-Net file, original names", 0, 0, 0],
  "unet-original-prefixed": ["U-Net file, original names", 0, 0, 0],
  "unet-diffusers": ["U-Net file, diffusers names", 0, 0, 0],
  "vae-original": ["VAE file, original names", 0, 0, 8],
  "vae-diffusers": ["VAE file, diffusers names", 0, 0, 0],
} as const;

Deno.test("every layout has its test", () => equal(Object.keys(layouts).sort(), Object.keys(LAYOUTS).sort()));

for (const [name, [layout, rows, transposed, squeezed]] of Object.entries(LAYOUTS)) {
  Deno.test(`${name}: each tensor is accounted for, nothing is missing or unknown`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "model.safetensors");
      await write(path, layouts[name]);
      const report = await checkpoint(path);
      equal(report.layout, layout);
      equal([report.faults, report.unknown], [[], []]);
      const keys = report.parts.map(({ part }) => partOf(report, part).keys);
      equal(keys.flatMap(({ missing, misfits, unknown }) => [...missing, ...misfits, ...unknown]), []);
      const accounted = keys.map(({ used, aside }) => aside.reduce((sum, { names }) => sum + names.length, used));
      equal(accounted.reduce((sum, n) => sum + n), layouts[name].length);
      const views = (kind: "rows" | "transpose" | "squeeze") => keys.reduce((sum, { views }) => sum + views[kind], 0);
      equal([views("rows"), views("transpose"), views("squeeze")], [rows, transposed, squeezed]);
    }));
}

Deno.test("a U-Net file lacks the other parts, and is run inside another model; a VAE the same", () =>
  inFolder(async (folder) => {
    const unet = join(folder, "my unet.safetensors");
    await write(unet, layouts["unet-original"]);
    const report = await checkpoint(unet);
    equal([partNames(report), report.lacks], [["unet"], ["vae", "text_encoder", "text_encoder_2"]]);
    equal(report.recipes.map(({ command }) => command), [
      `deno task generate --model MODEL --unet '${unet}' --recipe base --prompt "…" --out picture.png`,
    ]);
    const vae = join(folder, "vae.safetensors");
    await write(vae, layouts["vae-original"]);
    const { distillation, recipes } = await checkpoint(vae);
    equal(distillation.family, "none");
    ok(recipes[0].command.includes(`--model MODEL --vae ${vae}`), recipes[0].command);
  }));

Deno.test("a VAE without its encoder decodes, and that is told; a gap in the encoder is one", () =>
  inFolder(async (folder) => {
    const path = join(folder, "vae.safetensors");
    await write(path, layouts["vae-diffusers"], (tensors) => {
      for (const name of [...tensors.keys()]) if (/^(encoder|quant_conv)\./.test(name)) tensors.delete(name);
    });
    const report = await checkpoint(path);
    equal([report.faults, report.notes.length, partOf(report, "vae").keys.missing], [[], 1, []]);
    await write(path, layouts["vae-diffusers"], (tensors) => void tensors.delete("encoder.conv_in.weight"));
    equal(partOf(await checkpoint(path), "vae").keys.missing.map(({ key }) => key), ["encoder.conv_in.weight"]);
  }));

Deno.test("a single file whose vocabulary is not CLIP's says that a tokenizer is wanted, until one lies beside it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    await write(path, layouts["single-original"]);
    const without = await checkpoint(path);
    ok(/^none: a vocabulary of \d+ tokens is wanted/.test(without.tokenizers[0]), without.tokenizers[0]);
    ok(without.recipes[0].command.includes("--tokenizer FOLDER"), without.recipes[0].command);
    for (const name of ["tokenizer", "tokenizer_2"]) await copyFolder(join(FOLDER, name), join(folder, name));
    const beside = await checkpoint(path);
    equal(beside.tokenizers, ["tokenizer (beside it)", "tokenizer_2 (beside it)"]);
    ok(!beside.recipes[0].command.includes("--tokenizer"), beside.recipes[0].command);
  }));

Deno.test("folders: parts, files, types, blocks that add up, and the scheduler in words", async () => {
  for (const path of [POCKET, ...["tiny-deep", "tiny-sdxl", "tiny-sharded", "tiny-variant"].map(goldenPath)]) {
    const report = await checkpoint(path);
    equal([report.layout, report.faults, report.lacks], ["diffusers folder", [], []], path);
    equal(partNames(report), ["unet", "vae", "text_encoder", "text_encoder_2"], path);
    for (const { part } of report.parts) {
      const { told, keys: { missing, misfits, unknown } } = partOf(report, part);
      equal([told, missing, misfits, unknown], ["by config", [], [], []], `${path} ${part}`);
    }
    const { blocks, parameters } = partOf(report, "unet");
    equal(blocks.reduce((sum, { parameters }) => sum + parameters, 0), parameters, path);
  }
  const sharded = await checkpoint(goldenPath("tiny-sharded"));
  ok(partOf(sharded, "unet").files.length > 1, "one shard");
  equal(
    sharded.scheduler,
    "euler, trailing spacing, predicts v, zero terminal SNR",
  );
  equal(sharded.prediction, { type: "v", told: "by its scheduler file" });
  const variant = await checkpoint(goldenPath("tiny-variant"));
  equal(partOf(variant, "unet").files.map(({ name }) => name), ["unet/diffusion_pytorch_model.fp16.safetensors"]);
  const pocket = await checkpoint(POCKET);
  equal(pocket.structure, { name: "Fewstep's pocket model", refused: undefined });
  equal(partOf(pocket, "unet").dtypes, [{ dtype: "F16", tensors: 330, parameters: 4_324_356 }]);
  equal(partOf(pocket, "unet").blocks.map(({ name }) => name), [
    "conv_in",
    "time_embedding",
    "add_embedding",
    "down_blocks.0",
    "down_blocks.1",
    "down_blocks.2",
    "mid_block",
    "up_blocks.0",
    "up_blocks.1",
    "up_blocks.2",
    "conv_norm_out",
    "conv_out",
  ]);
});

/** SDXL's relatives: what their unet/config.json changes, and the parameters that their model cards give. */
const RELATIVES: Readonly<Record<string, readonly [Record<string, unknown>, billions: number]>> = {
  "SDXL base": [{}, 2.567],
  "SSD-1B": [{
    mid_block_type: "UNetMidBlock2D",
    transformer_layers_per_block: [1, [2, 2], [4, 4]],
    reverse_transformer_layers_per_block: [[4, 4, 10], [2, 1, 1], 1],
  }, 1.33],
  "Segmind-Vega": [{ mid_block_type: "UNetMidBlock2D", transformer_layers_per_block: [1, 1, 2] }, 0.745],
};

for (const [name, [changes, billions]] of Object.entries(RELATIVES)) {
  Deno.test(`${name} is known by its structure, whatever the file is called`, () =>
    inFolder(async (folder) => {
      await writeSyntheticFolder(folder, { unet: { ...SDXL_CONFIGS.unet, ...changes } });
      const report = await checkpoint(folder);
      equal([report.structure?.name, report.faults], [name, []]);
      const { parameters } = partOf(report, "unet");
      ok(
        Math.abs(parameters / 1e9 - billions) < 0.006,
        `${parameters} parameters, about ${billions} billion published`,
      );
      equal(report.distillation.family, "cannot tell");
    }));
}

Deno.test("Segmind-Vega's blocks have the parameters that its card gives: 247, 31 and 460 million", () =>
  inFolder(async (folder) => {
    await writeSyntheticFolder(folder, { unet: { ...SDXL_CONFIGS.unet, ...RELATIVES["Segmind-Vega"][0] } });
    const { blocks } = partOf(await checkpoint(folder), "unet");
    const millions = (prefix: string) =>
      blocks.reduce((sum, { name, parameters }) => name.startsWith(prefix) ? sum + parameters : sum, 0) / 1e6;
    equal(["down_blocks", "mid_block", "up_blocks"].map(millions).map(Math.round), [247, 31, 460]);
  }));

Deno.test("the refiner, and U-Nets for inpainting, are named and refused", () =>
  inFolder(async (folder) => {
    const refiner = join(folder, "refiner");
    await writeSyntheticFolder(refiner, {
      unet: {
        ...SDXL_CONFIGS.unet,
        attention_head_dim: [6, 12, 24, 24],
        block_out_channels: [384, 768, 1536, 1536],
        cross_attention_dim: 1280,
        down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        projection_class_embeddings_input_dim: 2560,
        transformer_layers_per_block: 4,
        up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
      },
    });
    const report = await checkpoint(refiner);
    equal([report.structure?.name, report.faults.length, report.recipes], ["SDXL refiner", 1, []]);
    const inpainting = join(folder, "inpainting");
    await writeSyntheticFolder(inpainting, { unet: { ...SDXL_CONFIGS.unet, in_channels: 9 } });
    const { structure, faults, recipes } = await checkpoint(inpainting);
    equal([structure?.name, recipes], ["SDXL base for inpainting", []]);
    ok(/takes 9 channels/.test(faults[0]), faults[0]);
  }));

/** Gaps at the beginnings of blocks, which tell widths and depths, and elsewhere. */
const GAPS = [
  "down_blocks.0.resnets.0.conv1.weight",
  "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight",
  "mid_block.resnets.1.norm2.bias",
  "up_blocks.1.resnets.0.norm1.weight",
  "up_blocks.2.resnets.2.conv2.bias",
];

for (const name of ["unet-diffusers", "unet-original"]) {
  Deno.test(`${name}: all missing tensors are listed at once, with strangers and wrong shapes`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "unet.safetensors");
      const stored = new Map(layouts[name].map(([name, , key]) => [key, name]));
      const at = (key: string) => stored.get(key) ?? key;
      const wrong = "down_blocks.2.resnets.0.conv2.bias";
      await write(path, layouts[name], (tensors) => {
        for (const key of GAPS) ok(tensors.delete(at(key)), `${key} was not there`);
        tensors.set(at(wrong), { dtype: "F16", shape: [3], bytes: new Uint8Array(6) });
        tensors.set("stranger.weight", { dtype: "F32", shape: [1], bytes: new Uint8Array(4) });
      });
      const report = await checkpoint(path);
      const { keys, dtypes } = partOf(report, "unet");
      equal(keys.missing.map(({ key }) => key).toSorted(), GAPS.toSorted());
      equal(keys.missing.find(({ key }) => key === GAPS[0])?.shape, [32, 32, 3, 3]);
      equal(keys.misfits, [{ key: wrong, shape: [3], wanted: [64] }]);
      equal(keys.unknown, ["stranger.weight"]);
      equal(dtypes.map(({ dtype, tensors }) => [dtype, tensors]), [["F16", layouts[name].length - GAPS.length], [
        "F32",
        1,
      ]]);
      equal(report.faults, [
        "The unet lacks 5 tensors.",
        "The unet has 1 tensor of another shape than its network wants.",
      ]);
      equal(report.recipes, [], "nothing is advised that cannot run");
    }));
}

Deno.test("a part whose architecture cannot be told is a fault, and the others are told", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    await write(path, layouts["single-diffusers"], (tensors) => void tensors.delete("unet.conv_in.weight"));
    const report = await checkpoint(path);
    equal(partNames(report).length, 4);
    const unet = report.parts.find(({ part }) => part === "unet");
    ok(/has no tensor "conv_in\.weight"/.test(unet?.fault ?? ""), String(unet?.fault));
    equal([unet?.keys, unet?.tensors], [undefined, layouts["unet-diffusers"].length - 1]);
    equal(partOf(report, "vae").keys.missing, []);

    const model = join(folder, "model");
    await copyFolder(FOLDER, model);
    await Deno.remove(join(model, "vae", "diffusion_pytorch_model.safetensors"));
    await editJson(join(model, "text_encoder", "config.json"), { hidden_size: -1 });
    const { faults, parts, lacks } = await checkpoint(model);
    equal(lacks, []);
    equal(parts.filter(({ fault }) => fault).map(({ part }) => part), ["vae", "text_encoder"]);
    ok(/no weights in .*vae/.test(faults[0]) && /"hidden_size" is -1/.test(faults[1]), faults.join(" "));
  }));

Deno.test("averaged copies, buffers and markers are told apart from strangers", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    const scalar: Stored = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) };
    await write(path, layouts["single-original"], (tensors) => {
      for (const name of ["model_ema.decay", "denoiser.sigmas", "stranger", "v_pred", "ztsnr"]) {
        tensors.set(name, scalar);
      }
      tensors.set("conditioner.embedders.1.model.logit_scale", scalar);
      tensors.set("conditioner.embedders.0.transformer.text_model.encoder.layers.0.odd.weight", scalar);
    });
    const report = await checkpoint(path);
    equal(report.unknown, ["stranger"]);
    equal(report.aside.map(({ names }) => names), [["model_ema.decay"], ["denoiser.sigmas"]]);
    equal(partOf(report, "text_encoder_2").keys.aside.map(({ names }) => names.length), [1]);
    equal(partOf(report, "text_encoder").keys.unknown, [
      "conditioner.embedders.0.transformer.text_model.encoder.layers.0.odd.weight",
    ]);
    equal([report.markers.length, report.prediction], [2, { type: "v", told: "by its marker v_pred" }]);
  }));

Deno.test("what is no safetensors, no SDXL, or not there is one sentence", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    await throwsSentence(() => inspect(path), /it does not exist/);
    await throwsSentence(() => inspect(folder), /it has no model_index\.json/);
    await Deno.writeTextFile(path, "<html>404</html>");
    await throwsSentence(() => inspect(path), /as safetensors: its first 8 bytes announce a header/);
    await writeRaw(path, JSON.stringify({ x: { dtype: "F32", shape: [4], data_offsets: [0, 16] } }), 4);
    await throwsSentence(() => inspect(path), /tensor "x" ends at byte .* Is the download complete\?$/);
    await save(path, new Map([["a.b", { dtype: "F32", shape: [1], bytes: new Uint8Array(4) }]]));
    await throwsSentence(() => inspect(path), /it holds no network of SDXL/);
  }));

Deno.test("a report is JSON, and the same every time", async () => {
  const report = await inspect(POCKET);
  equal(JSON.parse(JSON.stringify(report)), JSON.parse(JSON.stringify(await inspect(POCKET))));
  equal(Object.keys(JSON.parse(JSON.stringify(report))), [
    "inspected",
    "path",
    "layout",
    "bytes",
    "parts",
    "lacks",
    "structure",
    "prediction",
    "tokenizers",
    "scheduler",
    "markers",
    "computing",
    "unknown",
    "aside",
    "faults",
    "notes",
    "metadata",
    "hashes",
    "distillation",
    "recipes",
  ]);
});

Deno.test("how it would be computed is what an opened model says of itself; what is refused, says why", async () => {
  const { computing } = await checkpoint(POCKET);
  for (const { device, precision, parts, refused } of computing.filter(({ device }) => device.startsWith("cpu"))) {
    const memory = device === "cpu" ? "fast" : "lean";
    if (refused !== undefined) {
      await throwsSentence(() => open(POCKET, { precision, memory }), new RegExp(`: ${refused}\\. Wanted is `));
      continue;
    }
    await using model = await open(POCKET, { precision, memory });
    equal(parts, model.description.map(({ part, precision, lowering, why }) => ({ part, precision, lowering, why })));
  }
  equal(new Set(computing.map(({ device }) => device)).size * 5, computing.length);
  const of = (device: string, precision: string) =>
    computing.find((row) => row.device === device && row.precision === precision);
  equal(of("webgpu", "fp16")?.parts?.map(({ lowering }) => lowering), ["webgpu, fp16", "webgpu, fp16", "webgpu"]);
  equal(of("cuda", "int8")?.refused, "its kernels take no 8-bit matrices");
});
