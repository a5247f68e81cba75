/** The blocks of SDXL's U-Net and VAE, named as in diffusers. */

import { observeAttention } from "./attention_maps.ts";
import type { Product, Scope, SumAndNorm, Value } from "./builder.ts";
import {
  addNorm,
  conv2d,
  gelu,
  groupNorm,
  layerNorm,
  linear,
  lowRank,
  product,
  silu,
  toPicture,
  toTokens,
  whole,
} from "./layers.ts";
import { rows } from "../weights/weights.ts";

export interface ResnetOptions {
  readonly out: number;
  readonly groups: number;
  readonly epsilon: number;
  /** The activated time embedding, `[batch, channels]`; the VAE has none. */
  readonly time?: Value;
}

/** Norm, SiLU, convolution, twice, around a shortcut; the time embedding enters between. diffusers' `ResnetBlock2D`. */
export function resnetBlock(g: Scope, x: Value, { out, groups, epsilon, time }: ResnetOptions): Value {
  let h = silu(g.at("norm1"), groupNorm(g.at("norm1"), x, groups, epsilon));
  h = conv2d(g.at("conv1"), h, out);
  if (time) {
    const shift = linear(g.at("time_emb_proj"), time, out, { after: h });
    h = g.add(h, g.op("Unsqueeze", [shift, g.ints(2, 3)], out));
  }
  h = silu(g.at("norm2"), groupNorm(g.at("norm2"), h, groups, epsilon));
  h = conv2d(g.at("conv2"), h, out);
  const shortcut = x.channels === out ? x : conv2d(g.at("conv_shortcut"), x, out, { kernel: 1 });
  return g.features(g.add(shortcut, h));
}

export interface AttentionOptions {
  readonly heads: number;
  /** What keys and values are made of; default x itself. `[batch, tokens, channels]` */
  readonly context?: Value;
  /** Whether q, k and v have biases: in the VAE, not in the U-Net. */
  readonly bias?: boolean;
  /** How many times smaller pictures are here than where they go into the network. Default 1. */
  readonly shrink?: number;
}

/** diffusers' `Attention` on tokens. x: `[batch, tokens, channels]` */
export function attention(g: Scope, x: Value, options: AttentionOptions): Value {
  return whole(g.at("to_out").at(0), attended(g, x, options));
}

/** The same, before it is added to something. */
function attended(
  g: Scope,
  x: Value,
  { heads, context = x, bias = false, shrink = 1 }: AttentionOptions,
): Product {
  const q = linear(g.at("to_q"), x, x.channels, { bias });
  const k = linear(g.at("to_k"), context, x.channels, { bias, after: q });
  const v = linear(g.at("to_v"), context, x.channels, { bias, after: q });
  observeAttention(g, q, k, heads);
  const area = context === x ? g.area(shrink) : undefined; // a text's tokens are few
  return product(g.at("to_out").at(0), g.lowering.attention(g, q, k, v, heads, "none", area), x.channels);
}

/**
 * diffusers' `FeedForward` with GEGLU (arXiv 2002.05202): widens by 4, gates, narrows.
 *
 * The projection's rows are value and gate, one after the other. Each half is a matrix product of its own, which
 * spares the copy that splitting the result would cost.
 */
function feedForward(g: Scope, x: Value): Product {
  const inner = 4 * x.channels;
  const proj = g.at("net").at(0).at("proj");
  const weight = proj.find("weight", [2 * inner, x.channels]);
  const bias = proj.find("bias", [2 * inner]);
  const half = (scope: Scope, start: number): Value => {
    const end = start + inner;
    const y = scope.lowering.matmul(scope, x, rows(weight, start, end), inner, rows(bias, start, end));
    return lowRank(proj, x, y, [start, end]);
  };
  const value = half(proj.at("value"), 0);
  const gate = half(proj.at("gate"), inner);
  return product(g.at("net").at(2), g.mul(value, gelu(proj, gate)), x.channels);
}

export interface TransformerOptions {
  readonly depth: number;
  readonly heads: number;
  /** The text, `[batch, 77, channels]`. */
  readonly context: Value;
  readonly groups: number;
  /** Whether proj_in and proj_out are linear layers on tokens (SDXL) or 1×1 convolutions (SD 1). */
  readonly linearProjection: boolean;
  /** How many times smaller pictures are here than where they go into the network. */
  readonly shrink: number;
}

/** A sum that is not taken yet, as with the norm that follows it may be one operator. */
interface Pending {
  /** Whose sum it is. */
  readonly scope: Scope;
  readonly x: Value;
  /** Default nothing. */
  readonly y?: Product;
}

/** The sum and its layer norm, in the scope `norm`. */
function normOf({ scope, x, y }: Pending, norm: Scope): SumAndNorm {
  return y === undefined ? { sum: x, normed: layerNorm(norm, x) } : addNorm(scope, x, y, norm);
}

/**
 * Self-attention, cross-attention, gated feed-forward. diffusers' `BasicTransformerBlock`.
 * entering: `[batch, tokens, channels]`
 */
function transformerBlock(scope: Scope, entering: Pending, context: Value, heads: number, shrink: number): Pending {
  let { sum: x, normed } = normOf(entering, scope.at("norm1"));
  let y = attended(scope.at("attn1"), normed, { heads, shrink });
  ({ sum: x, normed } = normOf({ scope, x, y }, scope.at("norm2")));
  y = attended(scope.at("attn2"), normed, { heads, context });
  ({ sum: x, normed } = normOf({ scope, x, y }, scope.at("norm3")));
  return { scope, x, y: feedForward(scope.at("ff"), normed) };
}

/** A picture's pixels as tokens, through `depth` transformer blocks. diffusers' `Transformer2DModel`. */
export function transformer(
  g: Scope,
  x: Value,
  { depth, heads, context, groups, linearProjection, shrink }: TransformerOptions,
): Value {
  const normed = groupNorm(g.at("norm"), x, groups, 1e-6);
  const projIn = g.at("proj_in");
  let pending: Pending = {
    scope: g,
    x: linearProjection
      ? linear(projIn, toTokens(projIn, normed), x.channels)
      : toTokens(projIn, conv2d(projIn, normed, x.channels, { kernel: 1 })),
  };
  for (let i = 0; i < depth; i++) {
    pending = transformerBlock(g.at("transformer_blocks").at(i), pending, context, heads, shrink);
  }
  const { scope, x: before, y } = pending;
  const tokens = y === undefined ? before : scope.add(before, whole(scope, y));
  const projOut = g.at("proj_out");
  const h = linearProjection
    ? toPicture(projOut, linear(projOut, tokens, x.channels), x)
    : conv2d(projOut, toPicture(projOut, tokens, x), x.channels, { kernel: 1 });
  return g.features(g.add(x, h));
}
