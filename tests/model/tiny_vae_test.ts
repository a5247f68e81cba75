/** Tiny autoencoders in each form that TAESD is published in, against diffusers. Goldens: tests/goldens/tiny_vae.py. */

import { bake, inspect, open } from "fewstep";
import { openContents } from "fewstep/weights/open.ts";
import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { close, equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath, readGolden, readJson } from "../goldens/read.ts";
import { save, type Stored } from "../layouts.ts";

const MODEL = goldenPath("tiny-sdxl");
const FOLDER = goldenPath("tiny-vae");
const PUBLISHED = join(FOLDER, "diffusion_pytorch_model.safetensors");
const { halves } = readJson<{ halves: Record<"encoder" | "decoder", [name: string, key: string][]> }>("tiny-vae.json");
const golden = readGolden("tiny-vae.safetensors");

/** TAESD's two files, as its own repository names them and their tensors. */
async function writeHalf(folder: string, half: "encoder" | "decoder"): Promise<string> {
  const { tensors } = await openSafetensors(PUBLISHED);
  const bytes = await Deno.readFile(PUBLISHED);
  const rows = halves[half].map(([name, key]): [string, Stored] => {
    const entry = tensors.get(key);
    if (!entry) throw new Error(`no ${key}`);
    const { dtype, shape, offset, byteLength } = entry;
    return [name, { dtype, shape, bytes: bytes.slice(offset, offset + byteLength) }];
  });
  const path = join(folder, `taesdxl_${half}.safetensors`);
  await save(path, new Map(rows));
  return path;
}

async function agrees(vae: string, parts: "both" | "decoder" = "both"): Promise<void> {
  await using model = await open(MODEL, { vae });
  equal(model.pixelsPerLatent, 8);
  close((await model.decode(golden.get("latent"))).data, golden.get("image").data, 1e-5, "image");
  if (parts === "decoder") return;
  const noise = golden.get("latent");
  close((await model.encode(golden.get("picture"))).data, golden.get("encoded").data, 1e-5, "latent");
  close((await model.encode(golden.get("picture"), noise)).data, golden.get("encoded").data, 1e-5, "without a sample");
}

Deno.test("a folder of diffusers, told by its config", async () => {
  const { layout, vae, unet } = await openContents(FOLDER);
  equal([layout, vae?.told, unet], ["VAE folder", "by config", undefined]);
  await agrees(FOLDER);
});

Deno.test("its file alone, told by shapes as the config tells it", async () => {
  const { layout, vae } = await openContents(PUBLISHED);
  equal([layout, vae?.told], ["tiny VAE file, diffusers names", "by shapes"]);
  equal(vae?.architecture, (await openContents(FOLDER)).vae?.architecture);
  await agrees(PUBLISHED);
});

Deno.test("taesdxl_decoder and taesdxl_encoder, whichever is named", () =>
  inFolder(async (folder) => {
    const [decoder, encoder] = [await writeHalf(folder, "decoder"), await writeHalf(folder, "encoder")];
    for (const path of [decoder, encoder]) {
      const { layout, vae } = await openContents(path);
      equal(layout, "tiny VAE file, original names");
      equal(vae?.architecture, (await openContents(FOLDER)).vae?.architecture);
      await agrees(path);
    }
  }));

Deno.test("the decoder alone decodes; the encoder alone is asked for its other half", () =>
  inFolder(async (folder) => {
    const decoder = await writeHalf(folder, "decoder");
    await agrees(decoder, "decoder");
    const report = await inspect(decoder);
    ok(report.inspected === "checkpoint" && /has no encoder/.test(report.notes[0]), JSON.stringify(report));
    await using model = await open(MODEL, { vae: decoder });
    await throwsSentence(() => model.encode(golden.get("picture")), /tensor "encoder\.layers\.0\.weight".* is missing/);
    await Deno.remove(decoder);
    const encoder = await writeHalf(folder, "encoder");
    await throwsSentence(
      () => openContents(encoder),
      /it is the encoder of a tiny autoencoder\. Put the decoder beside it/,
    );
  }));

Deno.test("as a preview it decodes beside the VAE, and the VAE stays", async () => {
  const latent = golden.get("latent");
  await using plain = await open(MODEL);
  await throwsSentence(() => plain.decode(latent, { by: "preview" }), /opened without one\. Open it with preview/);
  await using model = await open(MODEL, { preview: PUBLISHED });
  close((await model.decode(latent, { by: "preview" })).data, golden.get("image").data, 1e-5, "preview");
  close((await model.preview.decode(latent)).data, golden.get("image").data, 1e-5, "preview");
  equal((await model.decode(latent)).data, (await plain.decode(latent)).data);
  await throwsSentence(
    () => open(MODEL, { preview: join(MODEL, "unet") }),
    /Cannot take an autoencoder from .*U-Net folder/,
  );
});

Deno.test("inspect knows each form, and misses nothing", () =>
  inFolder(async (folder) => {
    const decoder = await writeHalf(folder, "decoder");
    await writeHalf(folder, "encoder");
    for (const path of [FOLDER, PUBLISHED, decoder]) {
      const report = await inspect(path);
      if (report.inspected !== "checkpoint") throw new Error("taken for a LoRA");
      equal([report.faults, report.notes, report.unknown], [[], [], []]);
      const [{ keys, tensors }] = report.parts;
      equal([keys?.used, keys?.missing, keys?.unknown, keys?.aside], [tensors, [], [], []]);
      ok(report.recipes[0].command.includes(`--model MODEL --vae ${path}`), report.recipes[0].command);
    }
  }));

Deno.test("it is baked into a folder with its own config, and has no place in a single file", () =>
  inFolder(async (folder) => {
    const baked = join(folder, "baked");
    await using model = await open(MODEL, { vae: PUBLISHED });
    await bake(model, baked, { layout: "folder" });
    const config = async (path: string) => JSON.parse(await Deno.readTextFile(join(path, "config.json")));
    equal(await config(join(baked, "vae")), await config(FOLDER));
    await agrees(baked);
    await throwsSentence(
      () => bake(model, join(folder, "a.safetensors")),
      /Cannot bake a tiny autoencoder into a single/,
    );
  }));
