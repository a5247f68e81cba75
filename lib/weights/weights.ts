/** The tensors of one network, by the names that diffusers gives them, wherever their bytes lie. */

import { formatShape, type Shape, sizeOf } from "../tensor/tensor.ts";
import { type Mapped, rename, type Rules, type View } from "./keys/rules.ts";
import type { DType, SafetensorsFile, TensorEntry } from "./safetensors.ts";

export type { DType } from "./safetensors.ts";

/** A tensor that stays in its file. */
export interface WeightRef {
  /** diffusers' name, for example `mid_block.resnets.0.conv1.weight`. */
  readonly key: string;
  /** Absolute path. */
  readonly file: string;
  /** As it lies in the file. */
  readonly dtype: DType;
  /** As it lies: with `transposed`, the other way round than the network wants it. */
  readonly shape: Shape;
  /** Position of the first byte in the file. */
  readonly offset: number;
  /** Of the tensor, or of the rows of it that are meant. */
  readonly byteLength: number;
  /** Whether the last two dimensions are to be swapped. */
  readonly transposed?: true;
}

/** What a graph asks of a checkpoint. */
export interface WeightSource {
  /** What the tensors belong to, for errors: "unet", "vae", … */
  readonly part: string;
  /** Whether there is a tensor of that name, of whatever shape. */
  has(key: string): boolean;
  /** Where the tensor lies. @throws RangeError when it is missing or has another shape */
  get(key: string, shape: Shape): WeightRef;
}

/** The shape that a network sees. */
export function shapeOf({ shape, transposed }: WeightRef): Shape {
  return transposed ? [...shape.slice(0, -2), shape[shape.length - 1], shape[shape.length - 2]] : shape;
}

/** A tensor of a file, and the name that rules read: without the prefix of its part. */
export interface Source {
  readonly file: SafetensorsFile;
  readonly entry: TensorEntry;
  readonly name: string;
}

/** All tensors of some files under their own names. */
export function sourcesOf(files: readonly SafetensorsFile[]): readonly Source[] {
  return files.flatMap((file) => [...file.tensors.values()].map((entry) => ({ file, entry, name: entry.name })));
}

/** The tensors of one network under diffusers' names, as pointers into their files: nothing is read. */
export class Weights implements WeightSource {
  readonly #refs = new Map<string, WeightRef>();
  readonly #used = new Set<string>();
  readonly #origin = new Map<string, string>();
  #files: readonly SafetensorsFile[];
  #ignored: readonly string[];

  /**
   * What opens a checkpoint makes it.
   *
   * @internal
   * @param part what the tensors belong to, for errors: "unet", "vae", …
   */
  constructor(readonly part: string, sources: readonly Source[], rules: Rules = []) {
    this.#files = [...new Set(sources.map(({ file }) => file))];
    const ignored: string[] = [];
    for (const { file, entry, name } of sources) {
      const mapped = rename(name, rules);
      if (mapped.length === 0) ignored.push(entry.name);
      for (const target of mapped) {
        this.#refs.set(target.key, viewed(target, entry, file.path));
        this.#origin.set(target.key, entry.name);
      }
    }
    this.#ignored = ignored;
  }

  /** With absolute paths; a sharded checkpoint has several. */
  get files(): readonly SafetensorsFile[] {
    return this.#files;
  }

  /** Names in the files that belong to no network. */
  get ignored(): readonly string[] {
    return this.#ignored;
  }

  /** Whether there is a tensor of that name, of whatever shape. */
  has(key: string): boolean {
    return this.#refs.has(key);
  }

  /** Where a tensor lies. */
  ref(key: string): WeightRef | undefined {
    return this.#refs.get(key);
  }

  /** The same tensors, but for those that another file holds under diffusers' names. */
  replacedBy(file: SafetensorsFile): Weights {
    const changed = new Weights(this.part, sourcesOf([file]));
    const weights = new Weights(this.part, []);
    for (const [key, ref] of this.#refs) weights.#refs.set(key, changed.ref(key) ?? ref);
    weights.#files = [...this.files, file];
    weights.#ignored = this.ignored;
    return weights;
  }

  /** The shape of a tensor as a network sees it. */
  shape(key: string): Shape | undefined {
    const ref = this.#refs.get(key);
    return ref && shapeOf(ref);
  }

  /** All tensors, in the order of their files. */
  get refs(): readonly WeightRef[] {
    return [...this.#refs.values()];
  }

  /** A tensor's name in its file. */
  origin(key: string): string | undefined {
    return this.#origin.get(key);
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
    if (formatShape(shapeOf(ref)) !== formatShape(shape)) {
      throw new RangeError(
        `Cannot build the ${this.part}: tensor "${key}" is ${formatShape(shapeOf(ref))} in ${ref.file}, ` +
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

/** A tensor of a file as a rule wants it seen. @throws SyntaxError when its shape does not allow that. */
function viewed({ key, view }: Mapped, entry: TensorEntry, file: string): WeightRef {
  const { dtype, shape, offset, byteLength } = entry;
  const ref: WeightRef = { key, file, dtype, shape, offset, byteLength };
  switch (view?.kind) {
    case undefined:
      return ref;
    case "transpose":
      return { ...ref, transposed: true };
    case "squeeze":
      return { ...ref, shape: shape.filter((size, i) => i < 2 || size !== 1) };
    case "rows": {
      if (shape[0] % view.of !== 0) throw cannotView(entry, file, view);
      const count = shape[0] / view.of;
      return { ...rows(ref, view.index * count, (view.index + 1) * count), key };
    }
  }
}

function cannotView({ name, shape }: TensorEntry, file: string, view: View & { kind: "rows" }): SyntaxError {
  return new SyntaxError(
    `Cannot use ${file}: tensor "${name}" is ${formatShape(shape)}; wanted are ${view.of} equal blocks of rows.`,
  );
}

/** Rows of a tensor: contiguous in the file, so still only a pointer. */
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

/** The number of values that some tensors hold. */
export function parameters(refs: readonly WeightRef[]): number {
  return refs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
