/** The architectures of SDXL's networks as plain data: what a config says, or what tensors' shapes tell. */

/** One resolution of the U-Net. */
export interface UnetBlock {
  /** Of its resnets' outputs: 320, 640 and 1280 in SDXL. */
  readonly channels: number;
  /** One entry a resnet: the depth of the transformer that follows it, 0 for none. */
  readonly transformers: readonly number[];
  /** Attention heads; channels/heads is the head's dimension, 64 in SDXL. */
  readonly heads: number;
  /** Whether a down (up) block ends by halving (doubling) the picture. */
  readonly resample: boolean;
}

/** diffusers' `UNet2DConditionModel` with `text_time` conditioning. */
export interface UnetArchitecture {
  /** 4 for the latent alone; 9 and 8 in U-Nets for inpainting and editing, which the kit does not run. */
  readonly inChannels: number;
  /** The latent's: 4. */
  readonly outChannels: number;
  /** Latent height and width that the model was made for: pixels / 8. */
  readonly sampleSize: number;
  /** From the latent downwards. */
  readonly down: readonly UnetBlock[];
  /** Depths of the transformers between the middle's resnets: none leaves one resnet, as in SSD-1B; or no middle. */
  readonly mid: { readonly transformers: readonly number[]; readonly heads: number } | undefined;
  /** From the middle upwards. */
  readonly up: readonly UnetBlock[];
  /** Of group norms: 32. */
  readonly groups: number;
  /** Of group norms: 1e-5. Those of transformers take 1e-6 whatever a config says. */
  readonly epsilon: number;
  /** Width of the text embeddings: both encoders' hidden sizes together. */
  readonly crossAttentionDim: number;
  /** Width of the sinusoidal embedding of each of the six size numbers. */
  readonly additionTimeEmbedDim: number;
  /** Width of pooled text and size embeddings together. */
  readonly additionInputDim: number;
  /** Width of the embedded guidance scale, in U-Nets that were distilled to take it: 256 in lcm-sdxl. */
  readonly timeCondDim: number | undefined;
  /** Whether transformers begin and end in a linear layer; otherwise in a 1×1 convolution. */
  readonly linearProjection: boolean;
  /** [cos, sin] when true, [sin, cos] otherwise. */
  readonly flipSinToCos: boolean;
  /** Subtracted from the count that the frequencies are spaced over: 0 in SDXL. */
  readonly freqShift: number;
}

/** diffusers' `AutoencoderKL`. */
export interface VaeArchitecture {
  /** 4 in SDXL. */
  readonly latentChannels: number;
  /** 3: red, green, blue. */
  readonly imageChannels: number;
  /** From the picture's side to the latent's. */
  readonly blockOutChannels: readonly number[];
  /** Resnets of a level; the decoder has one more. */
  readonly layersPerBlock: number;
  /** Of group norms: 32. */
  readonly groups: number;
  /** Whether the middle has an attention. */
  readonly midAttention: boolean;
  /** Whether a 1×1 convolution stands before the decoder. */
  readonly postQuantConv: boolean;
  /** Whether a 1×1 convolution stands behind the encoder. */
  readonly quantConv: boolean;
  /** Latents are multiplied by this after encoding and divided by it before decoding. */
  readonly scalingFactor: number;
}

/**
 * diffusers' `AutoencoderTiny`, TAESD: a small autoencoder on another one's latents, without a distribution. Both halves
 * are plain sequences of convolutions.
 */
export interface TinyVaeArchitecture {
  /** 4 in TAESD for SDXL. */
  readonly latentChannels: number;
  /** 3: red, green, blue. */
  readonly imageChannels: number;
  /** Of every level. */
  readonly channels: number;
  /** Blocks of each level, from the picture's side. */
  readonly encoderBlocks: readonly number[];
  /** From the latent's side. */
  readonly decoderBlocks: readonly number[];
  /** Latents are divided by this before decoding: 1 in TAESD, which reads them as samplers hold them. */
  readonly scalingFactor: number;
}

/** Either kind of autoencoder: a tiny one has `decoderBlocks`. */
export type AutoencoderArchitecture = VaeArchitecture | TinyVaeArchitecture;

export function isTiny(vae: AutoencoderArchitecture): vae is TinyVaeArchitecture {
  return "decoderBlocks" in vae;
}

/** Pixels of a side that a latent's cell stands for: 8 in SDXL. */
export function pixelsPerLatent(vae: AutoencoderArchitecture): number {
  return 2 ** ((isTiny(vae) ? vae.decoderBlocks : vae.blockOutChannels).length - 1);
}

/** What both towers of a CLIP are made of. */
export interface ClipLayers {
  /** Width of its states: 768 and 1280 in SDXL. */
  readonly hiddenSize: number;
  /** Width between the two linear layers of a block. */
  readonly intermediateSize: number;
  /** All that the file has; SDXL reads the states before the last. */
  readonly layers: number;
  /** Attention heads of each layer. */
  readonly heads: number;
  /** Between the two linear layers: "quick_gelu" is OpenAI's x·sigmoid(1.702·x). */
  readonly activation: "quick_gelu" | "gelu";
  /** Of layer norms: 1e-5. */
  readonly epsilon: number;
}

/** transformers' `CLIPVisionModelWithProjection`: a CLIP's picture tower. */
export interface ClipVisionArchitecture extends ClipLayers {
  readonly imageChannels: number;
  /** Pixels of the square that it sees, and of a patch: 224 and 32, 16 or 14 in OpenAI's. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly projectionDim: number;
}

/** transformers' `CLIPTextModel`, or `CLIPTextModelWithProjection` where `projectionDim` is given. */
export interface ClipTextArchitecture extends ClipLayers {
  /** Rows of the table of tokens: 49,408. */
  readonly vocabularySize: number;
  /** Longest text in tokens: 77. */
  readonly positions: number;
  /** Width of the pooled text; undefined where the tower has no projection, as SDXL's first. */
  readonly projectionDim: number | undefined;
  /** Where to pool: at the first token of this id. SDXL's published configs say 2, which means the highest id. */
  readonly eosTokenId: number;
}
