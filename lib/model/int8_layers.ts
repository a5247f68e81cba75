/**
 * Which of the U-Net's linear layers and convolutions stay in float32 under `precision: "int8"`, and why.
 *
 * bench/int8_sensitivity.ts quantises one kind of layer at a time, on a trained U-Net: the resnets' shortcuts alone move
 * its output by 0.041, the feed-forward's second layer by 0.007, any other kind by less, all of these together by 0.013.
 */

export interface Float32Layers {
  /** What their keys match. */
  readonly keys: RegExp;
  readonly reason: string;
}

export const FLOAT32_LAYERS: readonly Float32Layers[] = [
  {
    keys: /(^|\.)(time_embedding|add_embedding|time_emb_proj)\./,
    reason: "one row a picture: nothing to gain",
  },
  {
    keys: /\.conv_shortcut\./,
    reason: "reads what no norm has bounded: alone it moves the output further than all others together",
  },
  {
    keys: /^conv_(in|out)\./,
    reason: "four channels on one side: nothing to gain, and all of the output passes through them",
  },
];

/** Why a weight stays in float32, or nothing where it is quantised. */
export function keptInFloat32(key: string): string | undefined {
  return FLOAT32_LAYERS.find(({ keys }) => keys.test(key))?.reason;
}
