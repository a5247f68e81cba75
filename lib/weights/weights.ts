/** The tensors of one network, by the names that diffusers gives them, wherever their bytes lie. */

import { formatShape, type Shape } from "../tensor/tensor.ts";
import type { DType, SafetensorsFile } from "./safetensors.ts";

export type { DType } from "./safetensors.ts";

/** A tensor that stays in its file. */
export interface WeightRef {
  /** diffusers' name, for example `mid_block.resnets.0.conv1.weight`. */
  readonly key: string;
  /** Absolute path. */
  readonly file: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Position of the first byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Renames a tensor of a file to diffusers' name; undefined leaves it out. */
export type Rename = (name: string) => string | undefined;

/** What a graph asks of a checkpoint. */
export interface WeightSource {
  /** What the tensors belong to, for errors: "unet", "vae", … */
  readonly part: string;
  has(key: string): boolean;
  /** @throws RangeError when the tensor is missing or has another shape */
  get(key: string, shape: Shape): WeightRef;
}

export class Weights implements WeightSource {
  readonly #refs = new Map<string, WeightRef>();
  readonly #used = new Set<string>();

  /**
   * @param part what the tensors belong to, for errors: "unet", "vae", …
   * @param files with absolute paths; a sharded checkpoint has several
   */
  constructor(readonly part: string, readonly files: readonly SafetensorsFile[], rename: Rename = (name) => name) {
    for (const { path, tensors } of files) {
      for (const { name, dtype, shape, offset, byteLength } of tensors.values()) {
        const key = rename(name);
        if (key !== undefined) this.#refs.set(key, { key, file: path, dtype, shape, offset, byteLength });
      }
    }
  }

  has(key: string): boolean {
    return this.#refs.has(key);
  }

  /** All tensors, in the order of their files. */
  get refs(): Iterable<WeightRef> {
    return this.#refs.values();
  }

  /**
   * Finds a tensor and checks its shape.
   *
   * @throws RangeError when it is missing or has another shape than the architecture implies.
   */
  get(key: string, shape: Shape): WeightRef {
    const ref = this.#refs.get(key);
    if (ref === undefined) {
      throw new RangeError(
        `Cannot build the ${this.part}: tensor "${key}" ${formatShape(shape)} is missing in ${this.#where()}.`,
      );
    }
    if (formatShape(ref.shape) !== formatShape(shape)) {
      throw new RangeError(
        `Cannot build the ${this.part}: tensor "${key}" is ${formatShape(ref.shape)} in ${ref.file}, ` +
          `but its config asks for ${formatShape(shape)}. Do config and weights belong together?`,
      );
    }
    this.#used.add(key);
    return ref;
  }

  /** Tensors that no layer has asked for. */
  get unused(): readonly string[] {
    return [...this.#refs.keys()].filter((key) => !this.#used.has(key));
  }

  #where(): string {
    return this.files.map(({ path }) => path).join(", ");
  }
}

/** A block of rows of a tensor: contiguous in the file, so still only a pointer. */
export function rows(ref: WeightRef, start: number, end: number): WeightRef {
  const rowBytes = ref.byteLength / ref.shape[0];
  return {
    ...ref,
    key: `${ref.key}[${start}:${end}]`,
    shape: [end - start, ...ref.shape.slice(1)],
    offset: ref.offset + start * rowBytes,
    byteLength: (end - start) * rowBytes,
  };
}
