/**
 * Text and sizes as the U-Net takes them: SDXL's conditioning.
 *
 * Podell et al. 2023 (arXiv 2307.01952), section 2.2; diffusers' `StableDiffusionXLPipeline.encode_prompt`.
 */

import { type Shape, Tensor } from "../tensor/tensor.ts";

/** One text, encoded. */
export interface TextEmbedding {
  /** Both encoders' hidden states side by side, `[77, D]` */
  readonly embeds: Tensor;
  /** `[P]` */
  readonly pooled: Tensor;
}

/** Texts of a batch, encoded: `[batch, 77, D]` and `[batch, P]` */
export interface Rows {
  readonly embeds: Tensor;
  readonly pooled: Tensor;
}

/** Pixels. */
export interface Size {
  /** A multiple of what a latent's cell stands for: 8 in SDXL. */
  readonly width: number;
  /** The same multiple holds. */
  readonly height: number;
}

/** `time_ids` of one picture, `[1, 6]`: see `timeIds` in lib/diffusion. */
export interface Sizes {
  readonly prompt: Tensor;
  /** For the unconditional half. Default: the prompt's. */
  readonly negative?: Tensor;
}

/**
 * What the network is told besides latent and timestep. With guidance the batch is twice as long: the unconditional
 * half first, as in diffusers.
 */
export class Conditioning {
  /** Whether the first half is the unconditional one. */
  readonly guided: boolean;
  /** `[rows, 77, D]`; rows are the batch, twice with guidance. */
  readonly context: Tensor;
  /** `[rows, P]` */
  readonly pooled: Tensor;
  /** Original height and width, crop top and left, target height and width, in pixels. `[rows, 6]` */
  readonly timeIds: Tensor;

  private constructor(sizes: Sizes, prompt: Rows, negative: Rows | undefined) {
    const halves = negative ? [negative, prompt] : [prompt];
    this.guided = negative !== undefined;
    this.context = Tensor.concat(halves.map(({ embeds }) => embeds));
    this.pooled = Tensor.concat(halves.map(({ pooled }) => pooled));
    const [batch] = prompt.embeds.shape;
    const ids = negative ? [sizes.negative ?? sizes.prompt, sizes.prompt] : [sizes.prompt];
    this.timeIds = Tensor.concat(ids.flatMap((row) => Array<Tensor>(batch).fill(row)));
  }

  /** One text, and with guidance one negative text, for all pictures of the batch. */
  static ofTexts(batch: number, sizes: Sizes, prompt: TextEmbedding, negative?: TextEmbedding): Conditioning {
    const repeat = ({ embeds, pooled }: TextEmbedding): Rows => ({
      embeds: Tensor.stack(Array<Tensor>(batch).fill(embeds)),
      pooled: Tensor.stack(Array<Tensor>(batch).fill(pooled)),
    });
    return new Conditioning(sizes, repeat(prompt), negative && repeat(negative));
  }

  /** Embeddings that are there already, a row a picture. */
  static ofRows(sizes: Sizes, prompt: Rows, negative?: Rows): Conditioning {
    return new Conditioning(sizes, prompt, negative);
  }

  /** Pictures in the batch. */
  get batch(): number {
    return this.context.shape[0] / (this.guided ? 2 : 1);
  }

  /** `[batch, 77, D]` */
  get promptEmbeds(): Tensor {
    return this.#conditional(this.context);
  }

  /** `[batch, P]` */
  get pooledPromptEmbeds(): Tensor {
    return this.#conditional(this.pooled);
  }

  /** `[batch, 77, D]`, with guidance only. */
  get negativePromptEmbeds(): Tensor | undefined {
    return this.guided ? this.context.slice(0, this.batch) : undefined;
  }

  /** `[batch, P]`, with guidance only. */
  get negativePooledPromptEmbeds(): Tensor | undefined {
    return this.guided ? this.pooled.slice(0, this.batch) : undefined;
  }

  /** What the network is given: everything, or only the prompt's half where a step is not guided. */
  rows(guided: boolean): Pick<Conditioning, "context" | "pooled" | "timeIds"> {
    if (guided === this.guided) return this;
    return {
      context: this.promptEmbeds,
      pooled: this.pooledPromptEmbeds,
      timeIds: this.#conditional(this.timeIds),
    };
  }

  #conditional(rows: Tensor): Tensor {
    return this.guided ? rows.slice(this.batch, 2 * this.batch) : rows;
  }
}

/** Unconditional embeddings where the model says `force_zeros_for_empty_prompt` and no negative prompt is given. */
export function zeroEmbedding(embeds: Shape, pooled: Shape): TextEmbedding {
  return { embeds: Tensor.zeros(embeds), pooled: Tensor.zeros(pooled) };
}
