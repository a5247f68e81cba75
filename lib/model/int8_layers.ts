/**
 * Which of the U-Net's linear layers stay in float32 under `precision: "int8"`, and why.
 *
 * bench/int8_sensitivity.ts quantises one kind of layer at a time: none moves the output of a trained U-Net by more than
 * 0.007 (the feed-forward's second layer), all together by 0.010. So none is kept for the sake of accuracy.
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
];

/** Why a weight stays in float32, or nothing where it is quantised. */
export function keptInFloat32(key: string): string | undefined {
  return FLOAT32_LAYERS.find(({ keys }) => keys.test(key))?.reason;
}
