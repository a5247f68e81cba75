/** The other way round: the original repository's names of a U-Net's modules, counted from its architecture. */

import type { UnetArchitecture } from "../architecture.ts";

const ENDS: Readonly<Record<string, string>> = {
  "time_embedding.linear_1": "time_embed.0",
  "time_embedding.linear_2": "time_embed.2",
  "time_embedding.cond_proj": "time_embed.cond_proj",
  "add_embedding.linear_1": "label_emb.0.0",
  "add_embedding.linear_2": "label_emb.0.2",
  "conv_in": "input_blocks.0.0",
  "conv_norm_out": "out.0",
  "conv_out": "out.2",
};

const RESNET: Readonly<Record<string, string>> = {
  norm1: "in_layers.0",
  conv1: "in_layers.2",
  time_emb_proj: "emb_layers.1",
  norm2: "out_layers.0",
  conv2: "out_layers.3",
  conv_shortcut: "skip_connection",
};

const BLOCK = /^(.*?\.(resnets|attentions|downsamplers|upsamplers)\.\d+)\.(.*)$/;

/** Where each block of diffusers stands in the original: `down_blocks.1.resnets.0` → `input_blocks.4.0`. */
function blockTable({ down, mid, up }: UnetArchitecture): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  let i = 1;
  down.forEach(({ transformers, resample }, level) => {
    transformers.forEach((_, layer) => {
      table.set(`down_blocks.${level}.resnets.${layer}`, `input_blocks.${i}.0`);
      table.set(`down_blocks.${level}.attentions.${layer}`, `input_blocks.${i}.1`);
      i++;
    });
    if (resample) table.set(`down_blocks.${level}.downsamplers.0`, `input_blocks.${i++}.0`);
  });
  table.set("mid_block.resnets.0", "middle_block.0");
  mid?.transformers.forEach((_, j) => {
    table.set(`mid_block.attentions.${j}`, `middle_block.${2 * j + 1}`);
    table.set(`mid_block.resnets.${j + 1}`, `middle_block.${2 * j + 2}`);
  });
  i = 0;
  up.forEach(({ transformers, resample }, level) => {
    transformers.forEach((depth, layer) => {
      table.set(`up_blocks.${level}.resnets.${layer}`, `output_blocks.${i}.0`);
      table.set(`up_blocks.${level}.attentions.${layer}`, `output_blocks.${i}.1`);
      const last = layer === transformers.length - 1;
      if (last && resample) table.set(`up_blocks.${level}.upsamplers.0`, `output_blocks.${i}.${depth > 0 ? 2 : 1}`);
      i++;
    });
  });
  return table;
}

/** @returns the original name of a module such as `mid_block.resnets.0.conv1`; undefined where it has none */
export function ldmUnetNames(unet: UnetArchitecture): (module: string) => string | undefined {
  const table = blockTable(unet);
  return (module) => {
    if (Object.hasOwn(ENDS, module)) return ENDS[module];
    const [, block, kind = "", rest = ""]: readonly (string | undefined)[] = module.match(BLOCK) ?? [];
    const place = table.get(block ?? "");
    if (place === undefined) return undefined;
    if (kind === "downsamplers") return `${place}.op`;
    return `${place}.${kind === "resnets" ? RESNET[rest] ?? rest : rest}`;
  };
}
