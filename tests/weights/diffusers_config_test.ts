/** Configs written from architectures say what diffusers' own said. */

import { parseUnetConfig } from "fewstep/weights/config.ts";
import { clipTextConfigOf, unetConfigOf } from "fewstep/weights/diffusers_config.ts";
import { equal, throwsSentence } from "../assert.ts";
import { SDXL_CONFIGS } from "../synthetic.ts";

/** What is unusual in a U-Net's config, beside SDXL's own. */
const CASES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "SDXL": {},
  "no transformers in the middle": { mid_block_type: "UNetMidBlock2D", transformer_layers_per_block: [1, 1, 2] },
  "no middle": { mid_block_type: null },
  "other depths upwards, one a layer": {
    mid_block_type: "UNetMidBlock2D",
    transformer_layers_per_block: [1, [2, 1], 4],
    reverse_transformer_layers_per_block: [[4, 4, 10], [2, 1, 1], 1],
  },
  "layers that differ": { layers_per_block: [1, 2, 3], transformer_layers_per_block: [1, 2, 3] },
  "attention only upwards on a level": {
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    transformer_layers_per_block: [3, 2, 10],
  },
  "guidance as an input": { time_cond_proj_dim: 256 },
};

for (const [name, changes] of Object.entries(CASES)) {
  Deno.test(`unet/config.json of ${name}: read, written, and the same`, () => {
    const config = { ...SDXL_CONFIGS.unet, ...changes };
    const written = unetConfigOf(parseUnetConfig("config.json", config));
    for (const [key, value] of Object.entries(config)) equal([key, written[key]], [key, value]);
  });
}

Deno.test("depths that a config cannot say are refused in a sentence", async () => {
  const unet = parseUnetConfig("config.json", SDXL_CONFIGS.unet);
  const mid = { transformers: [3], heads: 20 };
  await throwsSentence(
    () => unetConfigOf({ ...unet, mid }),
    /^Cannot write unet\/config\.json: .*\[3\] in the middle.*Bake as a single file\.$/,
  );
});

Deno.test("a text encoder's config says its projection and its last token, and the two before it", () => {
  const clip = {
    hiddenSize: 64,
    intermediateSize: 128,
    heads: 2,
    layers: 3,
    vocabularySize: 1000,
    positions: 77,
    activation: "gelu",
    epsilon: 1e-5,
    eosTokenId: 999,
    projectionDim: undefined,
  } as const;
  const plain = clipTextConfigOf(clip, "float16");
  equal([plain.architectures, plain.bos_token_id, plain.eos_token_id, plain.pad_token_id], [
    ["CLIPTextModel"],
    998,
    999,
    999,
  ]);
  const projected = clipTextConfigOf({ ...clip, projectionDim: 32, eosTokenId: 2 }, "float32");
  equal([projected.architectures, projected.bos_token_id, projected.eos_token_id, projected.pad_token_id], [
    ["CLIPTextModelWithProjection"],
    0,
    2,
    1,
  ]);
});
