/**
 * A checkpoint's tensors as the original repository names and stores them: what other tools expect of a single file.
 * The other direction of `unet.ts`, `vae.ts` and `clip.ts`.
 */

import type { UnetArchitecture, VaeArchitecture } from "../architecture.ts";
import { ldmUnetNames } from "./ldm_names.ts";

/** A tensor under another name. */
export interface Stored {
  readonly name: string;
  /** diffusers' names; several are stored one below the other. */
  readonly keys: readonly string[];
  /** "transpose": `[in, out]`; "unsqueeze": a linear layer stored as a 1×1 convolution. */
  readonly how?: "transpose" | "unsqueeze";
}

/** `a.b.weight` → `a.b` and `weight`. */
function split(key: string): readonly [string, string] {
  const dot = key.lastIndexOf(".");
  return [key.slice(0, dot), key.slice(dot + 1)];
}

/** @throws RangeError for a module that the original has no name for */
export function originalUnet(keys: readonly string[], unet: UnetArchitecture): readonly Stored[] {
  const names = ldmUnetNames(unet);
  return keys.map((key) => {
    const [module, kind] = split(key);
    const name = names(module);
    if (name === undefined) throw new RangeError(`Cannot bake "${key}": the original layout has no name for it.`);
    return { name: `model.diffusion_model.${name}.${kind}`, keys: [key] };
  });
}

const ATTENTION: Readonly<Record<string, string>> = {
  group_norm: "norm",
  to_q: "q",
  to_k: "k",
  to_v: "v",
  "to_out.0": "proj_out",
};

export function originalVae(keys: readonly string[], vae: VaeArchitecture): readonly Stored[] {
  const top = vae.blockOutChannels.length - 1;
  return keys.map((key): Stored => {
    const attention = key.match(/^(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)$/);
    if (attention) {
      const [, side, layer, kind] = attention;
      const name = `first_stage_model.${side}.mid.attn_1.${ATTENTION[layer] ?? layer}.${kind}`;
      return layer !== "group_norm" && kind === "weight"
        ? { name, keys: [key], how: "unsqueeze" }
        : { name, keys: [key] };
    }
    const name = key
      .replace("conv_norm_out", "norm_out")
      .replace("conv_shortcut", "nin_shortcut")
      .replace(/\.mid_block\.resnets\.(\d)/, (_, i) => `.mid.block_${Number(i) + 1}`)
      .replace(/\.down_blocks\.(\d+)\.resnets\.(\d+)/, ".down.$1.block.$2")
      .replace(/\.down_blocks\.(\d+)\.downsamplers\.0/, ".down.$1.downsample")
      .replace(/\.up_blocks\.(\d+)\.resnets\.(\d+)/, (_, i, j) => `.up.${top - Number(i)}.block.${j}`)
      .replace(/\.up_blocks\.(\d+)\.upsamplers\.0/, (_, i) => `.up.${top - Number(i)}.upsample`);
    return { name: `first_stage_model.${name}`, keys: [key] };
  });
}

export function originalTextEncoder(keys: readonly string[]): readonly Stored[] {
  return keys.map((key) => ({ name: `conditioner.embedders.0.transformer.${key}`, keys: [key] }));
}

const OPEN_CLIP: readonly (readonly [RegExp, string])[] = [
  [/^text_model\.embeddings\.token_embedding\./, "token_embedding."],
  [/^text_model\.embeddings\.position_embedding\.weight$/, "positional_embedding"],
  [/^text_model\.final_layer_norm\./, "ln_final."],
  [/^text_model\.encoder\.layers\./, "transformer.resblocks."],
  [/\.layer_norm([12])\./, ".ln_$1."],
  [/\.mlp\.fc1\./, ".mlp.c_fc."],
  [/\.mlp\.fc2\./, ".mlp.c_proj."],
  [/\.self_attn\.out_proj\./, ".attn.out_proj."],
];

/** The second encoder as open_clip has it: q, k and v in one, the projection the other way round. */
export function originalTextEncoder2(keys: readonly string[]): readonly Stored[] {
  const prefix = "conditioner.embedders.1.model.";
  return keys.flatMap((key): readonly Stored[] => {
    if (key === "text_projection.weight") return [{ name: `${prefix}text_projection`, keys: [key], how: "transpose" }];
    const fused = key.match(/^text_model\.encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)$/);
    if (fused) {
      const [, layer, letter, kind] = fused;
      if (letter !== "q") return []; // stored with q
      const parts = ["q", "k", "v"].map((name) => key.replace("self_attn.q_proj", `self_attn.${name}_proj`));
      return [{ name: `${prefix}transformer.resblocks.${layer}.attn.in_proj_${kind}`, keys: parts }];
    }
    return [{ name: prefix + OPEN_CLIP.reduce((name, [from, to]) => name.replace(from, to), key), keys: [key] }];
  });
}
