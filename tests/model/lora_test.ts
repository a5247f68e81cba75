/** LoRAs in every naming, against diffusers that fused them. Goldens: tests/goldens/lora.py. */

import { open, type OpenOptions, type Request } from "fewstep";
import { kindOf } from "fewstep/weights/files.ts";
import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { close, equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath, readGolden } from "../goldens/read.ts";

const MODEL = goldenPath("tiny-sdxl");
const STRENGTH = 0.35;
const REQUEST: Request = {
  prompt: "neon fish, snow",
  seed: 11,
  steps: 2,
  guidance: 4,
  size: { width: 64, height: 64 },
};

const loraPath = (naming: string) => goldenPath(`lora-${naming}.safetensors`);

async function latents(options: OpenOptions, request: Request = REQUEST): Promise<Float32Array[]> {
  await using model = await open(MODEL, options);
  const { step } = await model.generate(request);
  return step.path.map(({ latent }) => latent.data);
}

for (const naming of ["kohya-diffusers", "kohya-original", "peft", "peft-metadata", "diffusers"]) {
  Deno.test(`a LoRA under ${naming} names gives diffusers' latents, its text encoders' too`, async () => {
    const golden = readGolden("run-lora.safetensors");
    const lora = { path: loraPath(naming), strength: STRENGTH };
    await using model = await open(MODEL, { loras: [lora] });
    const { step } = await model.generate(REQUEST);
    close(step.conditioning.promptEmbeds.data, golden.get("prompt_embeds").data, 1e-5, "prompt_embeds");
    close(step.conditioning.pooledPromptEmbeds.data, golden.get("pooled_prompt_embeds").data, 1e-5, "pooled");
    step.path.forEach(({ latent }, i) => close(latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`));
  });
}

Deno.test("strength 0 is no LoRA, bit for bit", async () => {
  const without = await latents({});
  equal(await latents({ loras: [{ path: loraPath("peft"), strength: 0 }] }), without);
});

Deno.test("two LoRAs add: twice the half is the whole", async () => {
  const half = { path: loraPath("peft"), strength: STRENGTH / 2 };
  const [twice, whole] = [
    await latents({ loras: [half, half] }),
    await latents({ loras: [{ ...half, strength: STRENGTH }] }),
  ];
  whole.forEach((latent, i) => close(twice[i], latent, 1e-5, `latents ${i}`));
});

Deno.test("two files under the same names keep their own matrices", () =>
  inFolder(async (folder) => {
    const lora = loraPath("peft");
    const nothing = join(folder, "nothing.safetensors");
    const { tensors } = await openSafetensors(lora);
    const bytes = await Deno.readFile(lora);
    for (const { offset, byteLength } of tensors.values()) bytes.fill(0, offset, offset + byteLength);
    await Deno.writeFile(nothing, bytes);
    const alone = await latents({ loras: [{ path: lora, strength: STRENGTH }] });
    const both = await latents({ loras: [nothing, { path: lora, strength: STRENGTH }] });
    alone.forEach((latent, i) => close(both[i], latent, 1e-6, `latents ${i}`));
  }));

Deno.test("fused at a strength is branched at that strength, and leaves no file behind", async () => {
  const loras = [{ path: loraPath("peft"), strength: STRENGTH }, { path: loraPath("kohya-original"), strength: -0.1 }];
  const branched = await latents({ loras });
  let files: readonly string[];
  {
    await using model = await open(MODEL, { loras, loraMode: "fuse" });
    files = model.checkpoint.unet.weights.files.map(({ path }) => path).filter((path) => !path.startsWith(MODEL));
    equal(files.length, 1);
    const { step } = await model.generate(REQUEST);
    step.path.forEach(({ latent }, i) => close(latent.data, branched[i], 1e-5, `latents ${i}`));
    await throwsSentence(() => model.begin({ ...REQUEST, loraStrengths: [1, 1] }), /they were fused/);
  }
  equal(await kindOf(files[0]), "nothing");
});

Deno.test("strength changes from step to step, without loading anything again", async () => {
  await using model = await open(MODEL, { loras: [{ path: loraPath("peft"), strength: STRENGTH }] });
  const one = await model.next(await model.begin(REQUEST));
  const [same, off] = [await model.next(one), await model.next(one, { loraStrengths: [0] })];
  ok(same.latent.data.some((value, i) => value !== off.latent.data[i]), "strength changed nothing");
  const start = await model.begin({ ...REQUEST, loraStrengths: [0] });
  equal([(await model.next(start)).latent.data], (await latents({})).slice(1, 2));
  await throwsSentence(() => model.begin({ ...REQUEST, loraStrengths: [1, 2] }), /the model has 1 LoRAs/);
});

Deno.test("another model's LoRA, other kinds of adapters, and files that are none are refused by name", () =>
  inFolder(async (folder) => {
    const lora = loraPath("kohya-diffusers");
    const bytes = await Deno.readFile(lora);
    const text = new TextDecoder("latin1").decode(bytes);
    const path = join(folder, "other.safetensors");
    /** The same file with names of equal length changed. */
    const renamed = (from: RegExp, to: (match: string) => string) =>
      Deno.writeFile(path, Uint8Array.from(text.replace(from, to), (character) => character.charCodeAt(0)));

    await throwsSentence(() => open(goldenPath("tiny-deep"), { loras: [lora] }), /Was it made for another model\?/);
    await renamed(/lora_unet_down/g, () => "lora_unet_town");
    await throwsSentence(
      () => open(MODEL, { loras: [path] }),
      /of its \d+ modules are not in this model \("lora_unet_town/,
    );
    const kinds = {
      ".xxxxx.dora_scale": /makes it DoRA/,
      ".xxxxxx.hada_w1_a": /makes it LoHa/,
      ".xxxxxxxx.lokr_w1": /makes it LoKr/,
      "x.lora_mid.weight": /Tucker core/,
      ".xxxxxxxxxxx.diff": /full difference/,
    };
    for (const [ending, kind] of Object.entries(kinds)) {
      await renamed(/\.lora_down\.weight/, () => ending);
      await throwsSentence(() => open(MODEL, { loras: [path] }), kind);
    }
    await throwsSentence(
      () => open(MODEL, { loras: [join(MODEL, "vae/diffusion_pytorch_model.safetensors")] }),
      /as a LoRA: it holds none/,
    );
    await throwsSentence(() => open(MODEL, { loras: [join(folder, "none")] }), /none: it does not exist/);
  }));

/** An alpha, and under a name of the same length a tensor that belongs to no module. */
const TENSOR = "lora_unet_mid_block_attentions_0_proj_out.alpha";
const STRANGER = "bundle_emb.style.string_to_param.xxxxxxxxxxxxxx";

Deno.test("a few strangers among many modules are told, not refused", () =>
  inFolder(async (folder) => {
    const text = new TextDecoder("latin1").decode(await Deno.readFile(loraPath("kohya-diffusers")));
    const path = join(folder, "lora.safetensors");
    const stranger = text.replaceAll("lora_unet_conv_in", "lora_unet_conv_xx").replaceAll(
      "lora_unet_mid_block_attentions_0_proj_in",
      "lora_unet_mid_block_attentions_0_prxj_in",
    );
    const other = stranger.replace(TENSOR, STRANGER);
    await Deno.writeFile(path, Uint8Array.from(other, (character) => character.charCodeAt(0)));
    const warnings: string[] = [];
    await using model = await open(MODEL, { loras: [path], warn: (message) => warnings.push(message) });
    equal(model.loras[0].lora.unmatched, ["lora_unet_mid_block_attentions_0_prxj_in", STRANGER]);
    ok(warnings.some((warning) => warning.includes("prxj_in")), `${warnings}`);
  }));
