import { openCheckpoint } from "fewstep/weights/open.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { cpu } from "fewstep/graph/lowering.ts";
import { join } from "node:path";
import { equal, throwsSentence } from "../assert.ts";
import { copyFolder, editJson, inFolder, writeRaw } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const TINY = goldenPath("tiny-deep");
const POCKET = new URL("../../models/pocket/base", import.meta.url).pathname;

/** The tiny model, to be damaged. */
const damaged = (body: (model: string) => Promise<void>) =>
  inFolder(async (folder) => {
    const model = join(folder, "model");
    await copyFolder(TINY, model);
    await body(model);
  });

async function unetOf(model: string): Promise<void> {
  const { unet } = await openCheckpoint(model);
  buildUnet(unet.architecture, unet.weights, { lowering: cpu });
}

Deno.test("every tensor of the checkpoints has its place in a graph", async () => {
  for (const path of [POCKET, TINY, goldenPath("tiny-sharded"), goldenPath("tiny-variant")]) {
    const { unet } = await openCheckpoint(path);
    buildUnet(unet.architecture, unet.weights, { lowering: cpu });
    equal(unet.weights.unused, [], path);
  }
});

Deno.test("opens sharded weights and .fp16. variants", async () => {
  const sharded = await openCheckpoint(goldenPath("tiny-sharded"));
  equal(sharded.unet.weights.files.length > 1, true);
  const variant = await openCheckpoint(goldenPath("tiny-variant"));
  equal(variant.unet.weights.files.map(({ path }) => path.endsWith(".fp16.safetensors")), [true]);
});

Deno.test("a path that is not there, a file, a folder that is no checkpoint", () =>
  inFolder(async (folder) => {
    await throwsSentence(() => openCheckpoint(join(folder, "none")), /none: it does not exist\.$/);
    await throwsSentence(() => openCheckpoint(folder), /it has no model_index\.json\. Wanted: a diffusers folder/);
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    await throwsSentence(() => openCheckpoint(file), /it has 0 bytes, the header alone needs more/);
    await Deno.writeTextFile(join(folder, "model_index.json"), `{"_class_name": "FluxPipeline"}`);
    await throwsSentence(() => openCheckpoint(folder), /is for FluxPipeline; wanted is StableDiffusionXLPipeline/);
  }));

Deno.test("a config that lies about a weight's shape: the tensor and both shapes", () =>
  damaged(async (model) => {
    const config = join(model, "unet", "config.json");
    const { cross_attention_dim } = JSON.parse(await Deno.readTextFile(config));
    await editJson(config, { cross_attention_dim: cross_attention_dim + 1 });
    await throwsSentence(
      () => unetOf(model),
      new RegExp(
        `"down_blocks\\.1\\.attentions\\.0.*attn2\\.to_k\\.weight" is \\[\\d+, ${cross_attention_dim}\\] in .*, ` +
          `but its config asks for \\[\\d+, ${cross_attention_dim + 1}\\]`,
      ),
    );
  }));

Deno.test("a missing tensor is named, with the shape it should have", () =>
  damaged(async (model) => {
    const path = join(model, "unet", "diffusion_pytorch_model.safetensors");
    await writeRaw(path, JSON.stringify({ x: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }), 4);
    await throwsSentence(
      () => unetOf(model),
      /Cannot build the unet: tensor "\S+" \[.*\] is missing in .*safetensors\./,
    );
  }));

Deno.test("missing weights: what was looked for", () =>
  damaged(async (model) => {
    await Deno.remove(join(model, "vae", "diffusion_pytorch_model.safetensors"));
    await throwsSentence(
      () => openCheckpoint(model),
      /no weights in .*vae\. Looked for diffusion_pytorch_model\.safetensors, /,
    );
  }));

const LIES: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  [
    "a list of another length",
    { attention_head_dim: [1] },
    /"attention_head_dim" has 1 entries, "block_out_channels" has \d/,
  ],
  [
    "a negative width",
    { cross_attention_dim: -4 },
    /"cross_attention_dim" is -4, wanted is >=1\.$/,
  ],
  [
    "a block that the kit does not build",
    { down_block_types: ["AttnDownBlock2D"] },
    /"down_block_types\.0" is "AttnDownBlock2D", wanted is \("DownBlock2D" \| "CrossAttnDownBlock2D"\)/,
  ],
  [
    "conditioning that is not SDXL's",
    { addition_embed_type: null },
    /"addition_embed_type" is null, wanted is "text_time"/,
  ],
];

for (const [what, changes, pattern] of LIES) {
  Deno.test(`a U-Net config with ${what} is refused by its key`, () =>
    damaged(async (model) => {
      await editJson(join(model, "unet", "config.json"), changes);
      await throwsSentence(() => openCheckpoint(model), pattern);
    }));
}

Deno.test("a config that is no JSON, and an index that points out of its folder", () =>
  damaged(async (model) => {
    const unet = join(model, "unet");
    await Deno.remove(join(unet, "diffusion_pytorch_model.safetensors"));
    const index = join(unet, "diffusion_pytorch_model.safetensors.index.json");
    for (const name of ["../../etc/passwd", "/etc/passwd", "..", "a\\b"]) {
      await Deno.writeTextFile(index, JSON.stringify({ weight_map: { x: name } }));
      await throwsSentence(() => openCheckpoint(model), /shards must be files beside the index/);
    }
    await Deno.writeTextFile(join(unet, "config.json"), "{");
    await throwsSentence(() => openCheckpoint(model), /unet\/config\.json: it is not JSON/);
  }));

Deno.test("an index may name a thousand shards, and no more", () =>
  inFolder(async (folder) => {
    const model = join(folder, "model");
    await copyFolder(goldenPath("tiny-sdxl"), model);
    const index = join(model, "unet/diffusion_pytorch_model.safetensors.index.json");
    await Deno.remove(join(model, "unet/diffusion_pytorch_model.safetensors"));
    const named = (count: number) =>
      Deno.writeTextFile(
        index,
        JSON.stringify({
          weight_map: Object.fromEntries(Array.from({ length: count }, (_, i) => [i, `${i}.safetensors`])),
        }),
      );
    await named(1000);
    await throwsSentence(() => openCheckpoint(model), /\.safetensors: it does not exist/);
    await named(1001);
    await throwsSentence(() => openCheckpoint(model), /it names 1001 shards, allowed are 1000/);
  }));

Deno.test("a VAE's own folder is taken for a vae, with what its config says", () =>
  inFolder(async (folder) => {
    const [model, own] = [goldenPath("tiny-sdxl"), join(folder, "vae")];
    await copyFolder(join(model, "vae"), own);
    await editJson(join(own, "config.json"), { scaling_factor: 0.5 });
    const { vae } = await openCheckpoint(model, { vae: own });
    equal([vae.told, vae.weights.files.map(({ path }) => path)], [
      "by config",
      [join(own, "diffusion_pytorch_model.safetensors")],
    ]);
    equal("scalingFactor" in vae.architecture && vae.architecture.scalingFactor, 0.5);
    await throwsSentence(
      () => openCheckpoint(model, { unet: own }),
      /^Cannot take the unet from .*: it is a VAE folder\.$/,
    );
  }));

for (
  const [part, named] of [
    ["unet", "unet"],
    ["vae", "vae"],
    ["text_encoder", "first text encoder"],
    ["text_encoder_2", "second text encoder"],
  ]
) {
  Deno.test(`a folder without ${part} is no whole model: the sentence names it`, () =>
    inFolder(async (folder) => {
      const model = join(folder, "model");
      await copyFolder(goldenPath("tiny-sdxl"), model);
      await Deno.remove(join(model, part), { recursive: true });
      const index = join(model, "model_index.json");
      const { [part]: _, ...rest } = JSON.parse(await Deno.readTextFile(index));
      await Deno.writeTextFile(index, JSON.stringify(rest));
      await throwsSentence(() => openCheckpoint(model), new RegExp(`a diffusers folder without ${named}\\.`));
    }));
}
