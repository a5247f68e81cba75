/** Configs written from architectures say what diffusers' own said. */

import { parseUnetConfig } from "fewstep/weights/config.ts";
import { unetConfigOf } from "fewstep/weights/diffusers_config.ts";
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
