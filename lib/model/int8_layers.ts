/** Which of the U-Net's linear layers stay in float32 under `precision: "int8"`, and why. */

export interface Float32Layers {
  /** What their keys match. */
  readonly keys: RegExp;
  readonly reason: string;
}

export const FLOAT32_LAYERS: readonly Float32Layers[] = [
  {
    keys: /(^|\.)(time_embedding|add_embedding|time_emb_proj)\./,
    reason: "one row a picture: nothing to gain, and every block reads them",
  },
];

/** Why a weight stays in float32, or nothing where it is quantised. */
export function keptInFloat32(key: string): string | undefined {
  return FLOAT32_LAYERS.find(({ keys }) => keys.test(key))?.reason;
}
