import { buildClipText } from "fewstep/graph/clip.ts";
import { buildClipVision } from "fewstep/graph/clip_vision.ts";
import { cpu } from "fewstep/graph/lowering.ts";
import { Clip } from "fewstep/model/clip.ts";
import { preprocess } from "fewstep/measure/quality/preprocess.ts";
import { openClip } from "fewstep/weights/clip.ts";
import { join } from "node:path";
import { close, closeEach, equal, ok, throwsSentence } from "../assert.ts";
import { copyFolder, editJson, inFolder } from "../files.ts";
import { goldenPath, readGolden } from "../goldens/read.ts";
import { Asked, writeSparse } from "../synthetic.ts";

const FOLDER = goldenPath("tiny-clip");
const golden = readGolden("clip.safetensors");
const TEXTS = ["gold fish", "a snow forest, neon", "", "sunflower ".repeat(80)]; // as clip.py has them

for (const name of ["wide", "high", "small", "same"]) {
  Deno.test(`a ${name} picture is scaled, cut and normalised as by CLIPImageProcessor`, async () => {
    const { preprocessing } = await openClip(FOLDER);
    const picture = golden.get(`picture_${name}`);
    const seen = preprocess(picture.reshape([1, ...picture.shape]), preprocessing);
    equal(seen.shape, [1, 3, 32, 32]);
    closeEach(seen.data, golden.get(`pixel_values_${name}`).data, 1e-5, name);
  });

  Deno.test(`a ${name} picture's features are transformers'`, async () => {
    await using clip = await Clip.open(FOLDER);
    const picture = golden.get(`picture_${name}`);
    const features = await clip.images(picture.reshape([1, ...picture.shape]));
    close(features.data, golden.get(`image_embeds_${name}`).data, 1e-5, name);
  });
}

Deno.test("texts' features are transformers', of an empty and of a long one too", async () => {
  await using clip = await Clip.open(FOLDER);
  const features = await clip.texts(TEXTS);
  equal(features.shape, [4, 24]);
  for (const index of TEXTS.keys()) {
    close(features.at(index).data, golden.get("text_embeds").at(index).data, 1e-5, `text ${index}`);
  }
});

Deno.test("more pictures and texts than run at once come in their order", async () => {
  await using clip = await Clip.open(FOLDER);
  const many = Array.from({ length: 35 }, (_, index) => TEXTS[index % 3]);
  const features = await clip.texts(many);
  equal(features.shape, [35, 24]);
  close(features.at(34).data, golden.get("text_embeds").at(34 % 3).data, 1e-5);
});

/** openai/clip-vit-base-patch32, as far as shapes go. */
const VIT_B32 = {
  text: { hidden_size: 512, intermediate_size: 2048, num_hidden_layers: 12, num_attention_heads: 8 },
  vision: { hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 12 },
};

Deno.test("a lone file is told by its shapes as its config would tell it", () =>
  inFolder(async (folder) => {
    const [told, lone] = [join(folder, "told"), join(folder, "lone")];
    for (const path of [told, lone]) await Deno.mkdir(path);
    const config = {
      projection_dim: 512,
      text_config: { ...VIT_B32.text, eos_token_id: 2 },
      vision_config: VIT_B32.vision,
    };
    await Deno.writeTextFile(join(told, "config.json"), JSON.stringify(config));
    const { readClipConfig } = await import("fewstep/weights/clip_config.ts");
    const { text, vision } = await readClipConfig(join(told, "config.json"));
    const asked = new Asked("clip");
    buildClipText(text, asked, { lowering: cpu });
    buildClipVision(vision, asked, { lowering: cpu });
    ok(asked.shapes.size > 390, `${asked.shapes.size} tensors`);
    for (const path of [told, lone]) await writeSparse(join(path, "model.safetensors"), asked.shapes);
    const [byConfig, byShapes] = [await openClip(told), await openClip(join(lone, "model.safetensors"))];
    equal([byConfig.text.told, byShapes.text.told], ["by config", "by shapes"]);
    equal(byShapes.text.architecture, byConfig.text.architecture);
    equal(byShapes.vision.architecture, byConfig.vision.architecture);
    equal(byShapes.preprocessing, byConfig.preprocessing);
    equal(byShapes.preprocessing.crop, 224);
  }));

Deno.test("what is no CLIP, or lacks something, is refused in a sentence", () =>
  inFolder(async (folder) => {
    await throwsSentence(() => openClip(join(folder, "nowhere")), /does not exist\.$/);
    await throwsSentence(() => openClip(folder), /holds no model\.safetensors or model\.fp16\.safetensors\.$/);
    const unet = goldenPath("tiny-deep/unet/diffusion_pytorch_model.safetensors");
    await throwsSentence(() => openClip(unet), /it has no tensor "vision_model\.embeddings\.patch_embedding\.weight"/);
    const copy = join(folder, "clip");
    await copyFolder(FOLDER, copy);
    await editJson(join(copy, "preprocessor_config.json"), { crop_size: { height: 48, width: 48 } });
    await throwsSentence(() => openClip(copy), /its crop_size is .*, the tower sees 32x32 pixels\.$/);
    await editJson(join(copy, "preprocessor_config.json"), { resample: 1 });
    await throwsSentence(() => openClip(copy), /preprocessor_config\.json: "resample" is 1/);
    await Deno.remove(join(copy, "merges.txt"));
    await throwsSentence(() => openClip(copy), /^Cannot find the tokenizer of .*: it knows 700 tokens/);
  }));
