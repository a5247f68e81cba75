/**
 * The config files of a diffusers folder, as diffusers 0.42.1 and transformers 5.23 write them: the other direction of
 * `config.ts`. What an architecture does not say is what SDXL's own files say.
 */

import {
  type AutoencoderArchitecture,
  type ClipTextArchitecture,
  isTiny,
  type TinyVaeArchitecture,
  type UnetArchitecture,
  type UnetBlock,
} from "./architecture.ts";
import { parseUnetConfig } from "./config.ts";

export type Config = Readonly<Record<string, unknown>>;

/** The release whose files these are: diffusers decides by it which old habits a file may have. */
export const DIFFUSERS_VERSION = "0.42.1";

const attends = ({ transformers }: UnetBlock): boolean => transformers.some((depth) => depth > 0);

/** One value where all are equal, as the files have it, else the list. */
function oneOrAll<T>(values: readonly T[]): T | readonly T[] {
  return values.every((value) => value === values[0]) ? values[0] : values;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * `unet/config.json`.
 *
 * @throws RangeError when diffusers' config has no words for the architecture
 */
export function unetConfigOf(unet: UnetArchitecture): Config {
  const { down, up, mid } = unet;
  const facing = up.toReversed(); // the upward block of each level
  const depths = down.map((block, level) =>
    attends(block)
      ? oneOrAll(block.transformers)
      : facing[level] && attends(facing[level])
      ? oneOrAll(facing[level].transformers)
      : 1
  );
  const upward = up.map((block) => attends(block) ? oneOrAll(block.transformers) : 1);
  const mirrored = up.every((block, i) => !attends(block) || same(upward[i], depths.toReversed()[i]));
  const config: Config = {
    _class_name: "UNet2DConditionModel",
    _diffusers_version: DIFFUSERS_VERSION,
    act_fn: "silu",
    addition_embed_type: "text_time",
    addition_embed_type_num_heads: 64,
    addition_time_embed_dim: unet.additionTimeEmbedDim,
    attention_head_dim: down.map((block, level) => attends(block) ? block.heads : facing[level]?.heads ?? block.heads),
    attention_type: "default",
    block_out_channels: down.map(({ channels }) => channels),
    center_input_sample: false,
    class_embed_type: null,
    class_embeddings_concat: false,
    conv_in_kernel: 3,
    conv_out_kernel: 3,
    cross_attention_dim: unet.crossAttentionDim,
    cross_attention_norm: null,
    down_block_types: down.map((block) => attends(block) ? "CrossAttnDownBlock2D" : "DownBlock2D"),
    downsample_padding: 1,
    dropout: 0,
    dual_cross_attention: false,
    encoder_hid_dim: null,
    encoder_hid_dim_type: null,
    flip_sin_to_cos: unet.flipSinToCos,
    freq_shift: unet.freqShift,
    in_channels: unet.inChannels,
    layers_per_block: oneOrAll(down.map(({ transformers }) => transformers.length)),
    mid_block_only_cross_attention: null,
    mid_block_scale_factor: 1,
    mid_block_type: mid === undefined
      ? null
      : mid.transformers.length === 0
      ? "UNetMidBlock2D"
      : "UNetMidBlock2DCrossAttn",
    norm_eps: unet.epsilon,
    norm_num_groups: unet.groups,
    num_attention_heads: null,
    num_class_embeds: null,
    only_cross_attention: false,
    out_channels: unet.outChannels,
    projection_class_embeddings_input_dim: unet.additionInputDim,
    resnet_out_scale_factor: 1,
    resnet_skip_time_act: false,
    resnet_time_scale_shift: "default",
    reverse_transformer_layers_per_block: mirrored ? null : upward,
    sample_size: unet.sampleSize,
    time_cond_proj_dim: unet.timeCondDim ?? null,
    time_embedding_act_fn: null,
    time_embedding_dim: null,
    time_embedding_type: "positional",
    timestep_post_act: null,
    transformer_layers_per_block: depths,
    up_block_types: up.map((block) => attends(block) ? "CrossAttnUpBlock2D" : "UpBlock2D"),
    upcast_attention: false,
    use_linear_projection: unet.linearProjection,
  };
  if (same(meant(parseUnetConfig("unet/config.json", config)), meant(unet))) return config;
  throw new RangeError(
    `Cannot write unet/config.json: diffusers has no words for transformers of the depths ` +
      `${JSON.stringify(down.map(({ transformers }) => transformers))} down, ${
        JSON.stringify(mid?.transformers)
      } in the ` +
      `middle, ${JSON.stringify(up.map(({ transformers }) => transformers))} up. Bake as a single file.`,
  );
}

/** An architecture without what no layer of it reads. */
function meant({ down, mid, up, ...rest }: UnetArchitecture): unknown {
  const blocks = (of: readonly UnetBlock[]) => of.map((block) => attends(block) ? block : { ...block, heads: 0 });
  return { ...rest, down: blocks(down), up: blocks(up), mid: mid?.transformers.length === 0 ? [] : mid };
}

/** `vae/config.json`. @param sampleSize pixels of a side of the pictures that the model was made for */
export function vaeConfigOf(vae: AutoencoderArchitecture, sampleSize: number): Config {
  if (isTiny(vae)) return tinyVaeConfigOf(vae);
  const levels = vae.blockOutChannels.length;
  return {
    _class_name: "AutoencoderKL",
    _diffusers_version: DIFFUSERS_VERSION,
    act_fn: "silu",
    block_out_channels: vae.blockOutChannels,
    down_block_types: Array<string>(levels).fill("DownEncoderBlock2D"),
    force_upcast: true, // SDXL's own overflows in half floats; no file tells which autoencoders do not
    in_channels: vae.imageChannels,
    latent_channels: vae.latentChannels,
    latents_mean: null,
    latents_std: null,
    layers_per_block: vae.layersPerBlock,
    mid_block_add_attention: vae.midAttention,
    norm_num_groups: vae.groups,
    out_channels: vae.imageChannels,
    sample_size: sampleSize,
    scaling_factor: vae.scalingFactor,
    shift_factor: null,
    up_block_types: Array<string>(levels).fill("UpDecoderBlock2D"),
    use_post_quant_conv: vae.postQuantConv,
    use_quant_conv: vae.quantConv,
  };
}

function tinyVaeConfigOf(vae: TinyVaeArchitecture): Config {
  const widths = (blocks: readonly number[]) => blocks.map(() => vae.channels);
  return {
    _class_name: "AutoencoderTiny",
    _diffusers_version: DIFFUSERS_VERSION,
    act_fn: "relu",
    block_out_channels: widths(vae.decoderBlocks),
    decoder_block_out_channels: widths(vae.decoderBlocks),
    encoder_block_out_channels: widths(vae.encoderBlocks),
    force_upcast: false,
    in_channels: vae.imageChannels,
    latent_channels: vae.latentChannels,
    latent_magnitude: 3,
    latent_shift: 0.5,
    num_decoder_blocks: vae.decoderBlocks,
    num_encoder_blocks: vae.encoderBlocks,
    out_channels: vae.imageChannels,
    scaling_factor: vae.scalingFactor,
    shift_factor: 0,
    upsample_fn: "nearest",
    upsampling_scaling_factor: 2,
  };
}

/** What transformers writes of an encoder without a projection: its own default. */
const NO_PROJECTION = 512;

/**
 * `text_encoder/config.json` and `text_encoder_2/config.json`. What weights were initialised with is left out:
 * transformers 5 wants `initializer_factor` to be written 1.0, which JSON.stringify never does.
 */
export function clipTextConfigOf(clip: ClipTextArchitecture, dtype: "float16" | "float32"): Config {
  const projected = clip.projectionDim !== undefined;
  const { eosTokenId } = clip;
  // SDXL's files number them 0, 2, 1, which fits no vocabulary: 2 stands for the highest id.
  const [bos, pad] = eosTokenId === 2 ? [0, 1] : [eosTokenId - 1, eosTokenId];
  return {
    architectures: [projected ? "CLIPTextModelWithProjection" : "CLIPTextModel"],
    attention_dropout: 0,
    bos_token_id: bos,
    dtype,
    eos_token_id: eosTokenId,
    hidden_act: clip.activation,
    hidden_size: clip.hiddenSize,
    intermediate_size: clip.intermediateSize,
    layer_norm_eps: clip.epsilon,
    max_position_embeddings: clip.positions,
    model_type: "clip_text_model",
    num_attention_heads: clip.heads,
    num_hidden_layers: clip.layers,
    pad_token_id: pad,
    projection_dim: clip.projectionDim ?? NO_PROJECTION,
    vocab_size: clip.vocabularySize,
  };
}

/** `model_index.json`. @param scheduler diffusers' class, as is `vae` */
export function modelIndexOf(scheduler: string, vae: unknown, forceZerosForEmptyPrompt: boolean): Config {
  return {
    _class_name: "StableDiffusionXLPipeline",
    _diffusers_version: DIFFUSERS_VERSION,
    feature_extractor: [null, null],
    force_zeros_for_empty_prompt: forceZerosForEmptyPrompt,
    image_encoder: [null, null],
    scheduler: ["diffusers", scheduler],
    text_encoder: ["transformers", "CLIPTextModel"],
    text_encoder_2: ["transformers", "CLIPTextModelWithProjection"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    tokenizer_2: ["transformers", "CLIPTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", vae],
  };
}

/** CLIP's special tokens, where a folder of words does not say. */
export function tokenizerConfigOf(padToken: string): Config {
  const added = (content: string) => ({
    __type: "AddedToken",
    content,
    lstrip: false,
    normalized: true,
    rstrip: false,
    single_word: false,
  });
  return {
    add_prefix_space: false,
    bos_token: added("<|startoftext|>"),
    do_lower_case: true,
    eos_token: added("<|endoftext|>"),
    errors: "replace",
    model_max_length: 77,
    pad_token: padToken,
    tokenizer_class: "CLIPTokenizer",
    unk_token: added("<|endoftext|>"),
  };
}
