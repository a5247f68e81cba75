/** What a random stream is: a value, not a thing that changes. */

export interface Generator {
  readonly device: "cpu" | "cuda";
  /** The seed as torch reads it, 0 … 2⁶⁴ − 1. */
  readonly seed: bigint;
  /** `count` unit normals, as `torch.randn(count, generator=…)` draws them in one call, and what comes after. */
  randn(count: number): { readonly values: Float32Array<ArrayBuffer>; readonly next: Generator };
}
