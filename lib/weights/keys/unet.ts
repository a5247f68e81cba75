/**
 * The U-Net's names in the original repository (ldm, sgm) as diffusers' names.
 *
 * There the blocks of both halves are numbered through, `input_blocks.0` to `output_blocks.8` in SDXL, so which level
 * a number belongs to follows from where the resampling layers stand: read from the names themselves, for any depth.
 *
 * Source of the names: Stability-AI/generative-models, sgm/modules/diffusionmodules/openaimodel.py.
 */

import { holds, type Rules } from "./rules.ts";

/** Names within a resnet. */
const RESNET: Rules = [
  [/\.in_layers\.0\./, ".norm1."],
  [/\.in_layers\.2\./, ".conv1."],
  [/\.emb_layers\.1\./, ".time_emb_proj."],
  [/\.out_layers\.0\./, ".norm2."],
  [/\.out_layers\.3\./, ".conv2."],
  [/\.skip_connection\./, ".conv_shortcut."],
];

/** Names outside the blocks. */
const ENDS: Rules = [
  [/^time_embed\.0\./, "time_embedding.linear_1."],
  [/^time_embed\.2\./, "time_embedding.linear_2."],
  [/^time_embed\.cond_proj\./, "time_embedding.cond_proj."],
  [/^label_emb\.0\.0\./, "add_embedding.linear_1."],
  [/^label_emb\.0\.2\./, "add_embedding.linear_2."],
  [/^input_blocks\.0\.0\./, "conv_in."],
  [/^out\.0\./, "conv_norm_out."],
  [/^out\.2\./, "conv_out."],
  [/^middle_block\.0\./, "mid_block.resnets.0."],
  [/^middle_block\.1\./, "mid_block.attentions.0."],
  [/^middle_block\.2\./, "mid_block.resnets.1."],
];

/** Whether names are ldm's, without the prefix `model.diffusion_model.`. */
export function isLdmUnet(names: ReadonlySet<string>): boolean {
  return holds(names, "input_blocks.");
}

/** The rules for a U-Net whose names, without their prefix, are these. */
export function ldmUnet(names: ReadonlySet<string>): Rules {
  return [...inputBlocks(names), ...outputBlocks(names), ...ENDS, ...RESNET];
}

/** `input_blocks.i.0` is a resnet, `.1` its transformer; a block that holds `.0.op` ends a level. */
function inputBlocks(names: ReadonlySet<string>): Rules {
  const rules: Rules[number][] = [];
  let [level, layer] = [0, 0];
  for (let i = 1; holds(names, `input_blocks.${i}.0.`); i++) {
    if (holds(names, `input_blocks.${i}.0.op.`)) {
      rules.push([new RegExp(`^input_blocks\\.${i}\\.0\\.op\\.`), `down_blocks.${level}.downsamplers.0.conv.`]);
      [level, layer] = [level + 1, 0];
      continue;
    }
    rules.push([new RegExp(`^input_blocks\\.${i}\\.0\\.`), `down_blocks.${level}.resnets.${layer}.`]);
    rules.push([new RegExp(`^input_blocks\\.${i}\\.1\\.`), `down_blocks.${level}.attentions.${layer}.`]);
    layer++;
  }
  return rules;
}

/** The same upwards; there the upsampler is the last module of its block, after a transformer where there is one. */
function outputBlocks(names: ReadonlySet<string>): Rules {
  const rules: Rules[number][] = [];
  let [level, layer] = [0, 0];
  for (let i = 0; holds(names, `output_blocks.${i}.0.`); i++) {
    const block = `output_blocks\\.${i}`;
    const upsampler = [1, 2].find((j) => holds(names, `output_blocks.${i}.${j}.conv.`));
    rules.push([new RegExp(`^${block}\\.0\\.`), `up_blocks.${level}.resnets.${layer}.`]);
    if (upsampler !== undefined) {
      rules.push([new RegExp(`^${block}\\.${upsampler}\\.conv\\.`), `up_blocks.${level}.upsamplers.0.conv.`]);
    }
    rules.push([new RegExp(`^${block}\\.1\\.`), `up_blocks.${level}.attentions.${layer}.`]);
    layer++;
    if (upsampler !== undefined) [level, layer] = [level + 1, 0];
  }
  return rules;
}
