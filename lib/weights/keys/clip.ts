/**
 * Text encoders' names as transformers' names.
 *
 * SDXL's second encoder comes from open_clip, whose blocks keep q, k and v in one matrix and whose projection is
 * stored `[in, out]`. Source of the names: mlfoundations/open_clip, src/open_clip/transformer.py.
 */

import type { Rules } from "./rules.ts";

/** Buffers and parameters that no forward pass of the text encoder reads. */
const UNUSED: Rules = [
  [/(^|\.)position_ids$/, null],
  [/^logit_scale$/, null],
];

/** transformers 5 leaves the prefix out; the graph asks for it. */
export const transformersClip: Rules = [
  ...UNUSED,
  [/^(embeddings|encoder|final_layer_norm)\./, "text_model.$1."],
];

/** q, k and v in one: `[3·hidden, hidden]` */
const fused = ([, layer, kind]: RegExpMatchArray) =>
  ["q_proj", "k_proj", "v_proj"].map((name, index) => ({
    key: `text_model.encoder.layers.${layer}.self_attn.${name}.${kind}`,
    view: { kind: "rows" as const, index, of: 3 },
  }));

export const openClip: Rules = [
  ...UNUSED,
  [/^transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)$/, fused],
  [/^transformer\.resblocks\.(\d+)\.attn\.out_proj\./, "text_model.encoder.layers.$1.self_attn.out_proj."],
  [/^transformer\.resblocks\.(\d+)\.ln_([12])\./, "text_model.encoder.layers.$1.layer_norm$2."],
  [/^transformer\.resblocks\.(\d+)\.mlp\.c_fc\./, "text_model.encoder.layers.$1.mlp.fc1."],
  [/^transformer\.resblocks\.(\d+)\.mlp\.c_proj\./, "text_model.encoder.layers.$1.mlp.fc2."],
  [/^token_embedding\./, "text_model.embeddings.token_embedding."],
  [/^positional_embedding$/, "text_model.embeddings.position_embedding.weight"],
  [/^ln_final\./, "text_model.final_layer_norm."],
  [/^text_projection$/, () => [{ key: "text_projection.weight", view: { kind: "transpose" } }]],
];
