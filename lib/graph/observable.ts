/** What of a network can be looked at while it runs. */

/** A layer whose values can be looked at: a block's output, or what an attention attends to. */
export interface Observable {
  /** As diffusers names the module: `mid_block.attentions.0.transformer_blocks.0.attn2`. */
  readonly layer: string;
  /** What it gives: "attention", weights over the words of the prompt or over places; "features", a block's output. */
  readonly kind: "attention" | "features";
}

/** What to look at while a network runs. */
export interface Observe {
  /** Names of observable layers. */
  readonly layers: readonly string[];
  /** Attention averaged over its heads, or each head's. */
  readonly heads: "mean" | "each";
}
