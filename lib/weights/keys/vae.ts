/**
 * The autoencoder's names in the original repository (ldm) and in early diffusers files, as diffusers' names.
 *
 * Source of the names: Stability-AI/generative-models, sgm/modules/diffusionmodules/model.py; diffusers 0.17 and older.
 */

import { holds, type Rule, type Rules } from "./rules.ts";

const squeezed = (key: string) => [{ key, view: { kind: "squeeze" } as const }];

/** q, k, v and the output are 1×1 convolutions there: weights `[c, c, 1, 1]`. */
function attention(from: string, to: string): Rule {
  return [
    new RegExp(`^((?:en|de)coder\\.)mid\\.attn_1\\.${from}\\.(weight|bias)$`),
    ([, side, kind]) => {
      const key = `${side}mid_block.attentions.0.${to}.${kind}`;
      return kind === "weight" ? squeezed(key) : [{ key }];
    },
  ];
}

/** How many levels the decoder counts, from the small end up. */
function levels(names: ReadonlySet<string>): number {
  let count = 0;
  while (holds(names, `decoder.up.${count}.`)) count++;
  return count;
}

/** Whether names are ldm's, without the prefix `first_stage_model.`. */
export function isLdmVae(names: ReadonlySet<string>): boolean {
  return holds(names, "decoder.up.");
}

/** The rules for an autoencoder whose names, without their prefix, are these. */
export function ldmVae(names: ReadonlySet<string>): Rules {
  const top = levels(names) - 1;
  return [
    [/nin_shortcut/, "conv_shortcut"],
    [/^((?:en|de)coder)\.norm_out\./, "$1.conv_norm_out."],
    [/^encoder\.down\.(\d+)\.block\.(\d+)\./, "encoder.down_blocks.$1.resnets.$2."],
    [/^encoder\.down\.(\d+)\.downsample\./, "encoder.down_blocks.$1.downsamplers.0."],
    // ldm's decoder counts from the picture's side, diffusers' from the latent's
    [/^decoder\.up\.(\d+)\.block\.(\d+)\./, ([, i, j]) => `decoder.up_blocks.${top - Number(i)}.resnets.${j}.`],
    [/^decoder\.up\.(\d+)\.upsample\./, ([, i]) => `decoder.up_blocks.${top - Number(i)}.upsamplers.0.`],
    [/\.mid\.block_1\./, ".mid_block.resnets.0."],
    [/\.mid\.block_2\./, ".mid_block.resnets.1."],
    [/\.mid\.attn_1\.norm\./, ".mid_block.attentions.0.group_norm."],
    attention("q", "to_q"),
    attention("k", "to_k"),
    attention("v", "to_v"),
    attention("proj_out", "to_out.0"),
  ];
}

/** Whether names are those of a tiny autoencoder in diffusers. */
export function isTinyVae(names: ReadonlySet<string>): boolean {
  return holds(names, "decoder.layers.") || holds(names, "encoder.layers.");
}

/**
 * TAESD's own files hold one half each, a sequence counted from 0: `1.weight`. The decoder's begins with a clamp, which
 * diffusers does not count. Source: madebyollin/taesd, taesd.py.
 */
export function taesdHalf(names: ReadonlySet<string>): "encoder" | "decoder" | undefined {
  if (![...names].every((name) => /^\d+\.(conv\.\d+\.|skip\.)?(weight|bias)$/.test(name))) return undefined;
  return names.has("0.weight") ? "encoder" : names.has("1.weight") ? "decoder" : undefined;
}

/** Of the two halves under `encoder.` and `decoder.`. */
export const taesd: Rules = [
  [/^encoder\.(\d+)\./, "encoder.layers.$1."],
  [/^decoder\.(\d+)\./, ([, place]) => `decoder.layers.${Number(place) - 1}.`],
];

/** diffusers before 0.18 named the attention's layers after what they make. */
export const oldDiffusersVae: Rules = [
  [/(\.mid_block\.attentions\.0)\.query\./, "$1.to_q."],
  [/(\.mid_block\.attentions\.0)\.key\./, "$1.to_k."],
  [/(\.mid_block\.attentions\.0)\.value\./, "$1.to_v."],
  [/(\.mid_block\.attentions\.0)\.proj_attn\./, "$1.to_out.0."],
];
