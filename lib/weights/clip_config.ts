/**
 * The config files of text encoders and of whole CLIPs, parsed into architectures. Left-out keys get transformers' own
 * defaults.
 */

import * as v from "valibot";
import type { ClipTextArchitecture, ClipVisionArchitecture } from "./architecture.ts";
import { count, factor, readConfig, repeats, whole } from "./config.ts";

const clipTextConfig = v.looseObject({
  hidden_size: v.optional(count, 512),
  intermediate_size: v.optional(count, 2048),
  num_hidden_layers: v.optional(repeats, 12),
  num_attention_heads: v.optional(count, 8),
  hidden_act: v.optional(v.picklist(["quick_gelu", "gelu"]), "quick_gelu"),
  vocab_size: v.optional(count, 49408),
  max_position_embeddings: v.optional(count, 77),
  layer_norm_eps: v.optional(factor, 1e-5),
  projection_dim: v.optional(count, 512),
  eos_token_id: v.optional(whole, 49407),
});

const clipConfig = v.looseObject({
  projection_dim: v.optional(count, 512),
  text_config: v.optional(clipTextConfig, {}),
  vision_config: v.optional(
    v.looseObject({
      hidden_size: v.optional(count, 768),
      intermediate_size: v.optional(count, 3072),
      num_hidden_layers: v.optional(repeats, 12),
      num_attention_heads: v.optional(count, 12),
      num_channels: v.optional(count, 3),
      image_size: v.optional(count, 224),
      patch_size: v.optional(count, 32),
      hidden_act: v.optional(v.picklist(["quick_gelu", "gelu"]), "quick_gelu"),
      layer_norm_eps: v.optional(factor, 1e-5),
    }),
    {},
  ),
});

/** Parses the config.json of a whole `CLIPModel`. @throws SyntaxError naming the key that is wrong or not supported. */
export async function readClipConfig(
  path: string,
): Promise<{ readonly text: ClipTextArchitecture; readonly vision: ClipVisionArchitecture }> {
  const { projection_dim, text_config, vision_config: vision } = await readConfig(path, clipConfig);
  return {
    text: textArchitecture(text_config, projection_dim),
    vision: {
      hiddenSize: vision.hidden_size,
      intermediateSize: vision.intermediate_size,
      layers: vision.num_hidden_layers,
      heads: vision.num_attention_heads,
      activation: vision.hidden_act,
      epsilon: vision.layer_norm_eps,
      imageChannels: vision.num_channels,
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      projectionDim: projection_dim,
    },
  };
}

/**
 * Parses a text encoder's config.json.
 *
 * @param projected whether the class is `CLIPTextModelWithProjection`: a plain `CLIPTextModel` names a projection
 *   that it does not have
 * @throws SyntaxError naming the key that is wrong or not supported.
 */
export async function readClipTextConfig(path: string, projected: boolean): Promise<ClipTextArchitecture> {
  const config = await readConfig(path, clipTextConfig);
  return textArchitecture(config, projected ? config.projection_dim : undefined);
}

function textArchitecture(
  config: v.InferOutput<typeof clipTextConfig>,
  projectionDim: number | undefined,
): ClipTextArchitecture {
  return {
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    activation: config.hidden_act,
    vocabularySize: config.vocab_size,
    positions: config.max_position_embeddings,
    epsilon: config.layer_norm_eps,
    projectionDim,
    eosTokenId: config.eos_token_id,
  };
}
