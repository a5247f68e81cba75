/** One model in every layout that SDXL is published in, put there by an independent script that diffusers judged. */

import { open } from "fewstep";
import { openContents } from "fewstep/weights/open.ts";
import { join } from "node:path";
import { close, equal, throwsSentence } from "../assert.ts";
import { copyFolder, inFolder } from "../files.ts";
import { readGolden } from "../goldens/read.ts";
import { FILES, FOLDER, layouts, type Row, save, type Stored, write } from "../layouts.ts";

const REQUEST = { prompt: "neon fish, snow", seed: 11, steps: 4, guidance: 4, size: { width: 64, height: 64 } };
const TOKENIZER = { tokenizer: FOLDER };

/** The run of diffusers on the folder: every layout must give its latents and picture. */
async function sameRun(path: string, options: Parameters<typeof open>[1]): Promise<void> {
  const golden = readGolden("run-tiny-sdxl.safetensors");
  await using model = await open(path, options);
  const { step, image } = await model.generate(REQUEST);
  step.path.forEach(({ latent }, i) => close(latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`));
  close(image.data, golden.get("image").data, 1e-4, "image");
}

for (const name of ["single-original", "single-diffusers"]) {
  Deno.test(`${name}: runs as the folder does, its architecture told by shapes`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "sd_xl_base_1.0.safetensors");
      await write(path, layouts[name]);
      const { unet, unknown, layout } = await openContents(path);
      equal(unknown, []);
      equal(layout, `single file, ${name === "single-original" ? "original" : "diffusers"} names`);
      equal(unet?.architecture, { ...(await openContents(FOLDER)).unet?.architecture, sampleSize: 128 });
      await sameRun(path, TOKENIZER);
    }));
}

for (const name of ["unet-original", "unet-original-prefixed", "unet-diffusers"]) {
  Deno.test(`${name}: takes the place of a folder's U-Net`, () =>
    inFolder(async (folder) => {
      const model = join(folder, "model");
      await copyFolder(FOLDER, model);
      // The folder's own U-Net is of no use: only the file can give the golden's latents.
      await write(join(model, FILES.unet), layouts["unet-diffusers"], (tensors) => {
        for (const { bytes } of tensors.values()) bytes.fill(0);
      });
      const path = join(folder, "sdxl_lightning_4step_unet.safetensors");
      await write(path, layouts[name]);
      equal(
        (await openContents(path)).layout,
        `U-Net file, ${name === "unet-diffusers" ? "diffusers" : "original"} names`,
      );
      await sameRun(model, { unet: path });
    }));
}

for (const name of ["vae-original", "vae-diffusers"]) {
  Deno.test(`${name}: takes the place of a folder's VAE`, () =>
    inFolder(async (folder) => {
      const model = join(folder, "model");
      await copyFolder(FOLDER, model);
      await write(join(model, FILES.vae), layouts["vae-diffusers"], (tensors) => {
        for (const { bytes } of tensors.values()) bytes.fill(0);
      });
      const path = join(folder, "sdxl_vae.safetensors");
      await write(path, layouts[name]);
      await sameRun(model, { vae: path });
    }));
}

Deno.test("diffusers' old names of the VAE's attention are read", () =>
  inFolder(async (folder) => {
    const path = join(folder, "vae.safetensors");
    const old = { to_q: "query", to_k: "key", to_v: "value", "to_out.0": "proj_attn" };
    const rows = layouts["vae-diffusers"].map(([name, ...rest]): Row => {
      for (const [now, then] of Object.entries(old)) {
        name = name.replace(`attentions.0.${now}.`, `attentions.0.${then}.`);
      }
      return [name, ...rest];
    });
    await write(path, rows);
    await sameRun(FOLDER, { vae: path });
  }));

Deno.test("a single file tells no size: the recipe does; a folder's config holds for a U-Net in its place", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    await write(path, layouts["single-original"]);
    const sizeOf = async (model: Awaited<ReturnType<typeof open>>, recipe: string) => {
      const { latent } = await model.begin({ prompt: "", recipe, guidance: 0 });
      return latent.shape.slice(2);
    };
    await using single = await open(path, TOKENIZER);
    equal([await sizeOf(single, "turbo"), await sizeOf(single, "lightning-4step")], [[64, 64], [128, 128]]);
    const unet = join(folder, "unet.safetensors");
    await write(unet, layouts["unet-diffusers"]);
    await using replaced = await open(FOLDER, { unet });
    equal(await sizeOf(replaced, "lightning-4step"), [16, 16]);
  }));

Deno.test("averaged copies and buffers are left aside, strangers are listed, markers are read", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    const scalar: Stored = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) };
    await write(path, layouts["single-original"], (tensors) => {
      for (const name of ["model_ema.decay", "denoiser.sigmas", "betas", "stranger.weight", "v_pred", "ztsnr"]) {
        tensors.set(name, scalar);
      }
      tensors.set("conditioner.embedders.1.model.logit_scale", scalar);
    });
    const contents = await openContents(path);
    equal(contents.unknown, ["stranger.weight"]);
    equal(contents.ignored.toSorted(), ["betas", "denoiser.sigmas", "model_ema.decay"]);
    equal(contents.textEncoder2?.weights.ignored, ["conditioner.embedders.1.model.logit_scale"]);
    equal(contents.markers, { velocity: true, zeroTerminalSnr: true });
    await using model = await open(path, TOKENIZER);
    const { trajectory } = await model.begin({ ...REQUEST, size: { width: 64, height: 64 } });
    equal([trajectory.prediction, trajectory.schedule.timesteps[0]], ["v", 999]);
  }));

Deno.test("a file that is not enough, or nothing of SDXL, is told so", () =>
  inFolder(async (folder) => {
    const path = join(folder, "unet.safetensors");
    await write(path, layouts["unet-diffusers"]);
    await throwsSentence(
      () => open(path),
      /U-Net file, diffusers names without vae, first text encoder, second text encoder/,
    );
    await throwsSentence(() => open(FOLDER, { vae: path }), /Cannot take the vae from .*: it is a U-Net file/);
    await write(path, layouts["single-original"]);
    await throwsSentence(() => open(path), /knows \d+ tokens, CLIP's vocabulary has 49408\. Put the folders tokenizer/);
    await throwsSentence(() => open(path, { tokenizer: folder }), /Cannot find a tokenizer in/);
    await save(path, new Map([["a.b", { dtype: "F32", shape: [1], bytes: new Uint8Array(4) }]]));
    await throwsSentence(() => open(path), /it holds no network of SDXL.*its tensors begin with "a\.b"/);
    await save(path, new Map([["lora_unet_x.lora_up.weight", { dtype: "F32", shape: [1], bytes: new Uint8Array(4) }]]));
    await throwsSentence(() => open(path), /it is a LoRA/);
  }));

Deno.test("tokenizer folders beside a single file are found", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    await write(path, layouts["single-original"]);
    for (const name of ["tokenizer", "tokenizer_2"]) await copyFolder(join(FOLDER, name), join(folder, name));
    await sameRun(path, {});
  }));

Deno.test("a single file's metadata may name the size that it was made for; what is no square of it counts for nothing", () =>
  inFolder(async (folder) => {
    const written = async (spoken: string) => {
      const path = join(folder, `${spoken}.safetensors`);
      await write(path, layouts["single-original"], () => {}, { "modelspec.resolution": spoken });
      return path;
    };
    const sizes = [["1024x1024", 128], ["832x1216", 128], ["1000", 128], ["00x00", 128], ["512x512", 64]] as const;
    for (const [spoken, sampleSize] of sizes) {
      equal((await openContents(await written(spoken))).unet?.architecture.sampleSize, sampleSize, spoken);
    }
    await using model = await open(await written("256x256"), TOKENIZER);
    equal((await model.begin({ prompt: "", seed: 1, recipe: "lightning-4step" })).latent.shape, [1, 4, 32, 32]);
  }));
