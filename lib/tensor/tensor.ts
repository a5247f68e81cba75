/**
 * A dense float32 array with a shape, in row-major order: the one kind of number that schedules,
 * samplers, sessions, records and views hand to each other.
 *
 * Every operation rounds once to float32, as torch does, so a sampler written with these methods
 * follows diffusers to the last few bits. Operations return new tensors: a value that a Step holds never changes.
 */

/** Dimensions, outermost first, for example `[batch, 4, height/8, width/8]`. */
export type Shape = readonly number[];

/** The number of values that a shape holds. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** `[1, 4, 16, 16]` as people write it. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Numbers in a shape, row by row. A value: its methods make new ones. */
export class Tensor {
  /**
   * Takes values as they are, without copying them.
   * @throws RangeError when the values do not fill the shape exactly.
   */
  constructor(readonly data: Float32Array<ArrayBuffer>, readonly shape: Shape) {
    if (data.length !== sizeOf(shape)) {
      throw new RangeError(
        `Cannot make a tensor ${formatShape(shape)}: it holds ${sizeOf(shape)} values, ${data.length} were given.`,
      );
    }
  }

  /** A tensor of the values of any list of numbers, rounded to float32. */
  static of(values: ArrayLike<number>, shape: Shape = [values.length]): Tensor {
    return new Tensor(Float32Array.from(values), shape);
  }

  /** All zeros. */
  static zeros(shape: Shape): Tensor {
    return new Tensor(new Float32Array(sizeOf(shape)), shape);
  }

  /** Joins tensors along the first axis: `[a, …]` and `[b, …]` become `[a + b, …]`. */
  static concat(tensors: readonly Tensor[]): Tensor {
    const [first] = tensors;
    if (first === undefined) throw new RangeError("Cannot concatenate tensors: none were given.");
    const inner = first.shape.slice(1);
    const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0));
    let offset = 0;
    let rows = 0;
    for (const tensor of tensors) {
      if (formatShape(tensor.shape.slice(1)) !== formatShape(inner)) {
        throw new RangeError(
          `Cannot concatenate ${formatShape(tensor.shape)} to ${formatShape(first.shape)}: ` +
            `all dimensions after the first must be equal.`,
        );
      }
      data.set(tensor.data, offset);
      offset += tensor.data.length;
      rows += tensor.shape[0] ?? 1;
    }
    return new Tensor(data, [rows, ...inner]);
  }

  /** Joins equal shapes along a new first axis: n × `[…]` becomes `[n, …]`. */
  static stack(tensors: readonly Tensor[]): Tensor {
    return Tensor.concat(tensors.map((tensor) => tensor.reshape([1, ...tensor.shape])));
  }

  /** Entry `index` of the first axis, without that axis: `[n, …]` becomes `[…]`. */
  at(index: number): Tensor {
    const [rows = 1, ...inner] = this.shape;
    if (!Number.isInteger(index) || index < 0 || index >= rows) {
      throw new RangeError(`Cannot take entry ${index} of ${formatShape(this.shape)}: entries are 0 to ${rows - 1}.`);
    }
    const size = sizeOf(inner);
    return new Tensor(this.data.slice(index * size, (index + 1) * size), inner);
  }

  /** Rows `start` to `end` (not included) of the first axis: `[n, …]` becomes `[end − start, …]`. */
  slice(start: number, end: number): Tensor {
    const [rows = 1, ...inner] = this.shape;
    if (start < 0 || end > rows || start > end) {
      throw new RangeError(`Cannot take rows ${start} to ${end} of ${formatShape(this.shape)}.`);
    }
    const size = sizeOf(inner);
    return new Tensor(this.data.slice(start * size, end * size), [end - start, ...inner]);
  }

  /** The same values under another shape. */
  reshape(shape: Shape): Tensor {
    return new Tensor(this.data, shape);
  }

  /** Value by value. */
  map(f: (value: number, index: number) => number): Tensor {
    return new Tensor(this.data.map(f), this.shape);
  }

  /** Value by value, of equal shape. */
  plus(other: Tensor): Tensor {
    return this.zip(other, "add", (a, b) => a + b);
  }

  /** Value by value, of equal shape. */
  minus(other: Tensor): Tensor {
    return this.zip(other, "subtract", (a, b) => a - b);
  }

  /** Each value times a number. */
  times(factor: number): Tensor {
    const out = new Float32Array(this.data.length);
    for (let i = 0; i < out.length; i++) out[i] = this.data[i] * factor;
    return new Tensor(out, this.shape);
  }

  /** Combines two tensors of one shape value by value. `verb` names the operation in an error. */
  zip(other: Tensor, verb: string, f: (a: number, b: number) => number): Tensor {
    if (formatShape(this.shape) !== formatShape(other.shape)) {
      throw new RangeError(
        `Cannot ${verb} tensors ${formatShape(this.shape)} and ${
          formatShape(other.shape)
        }: their shapes must be equal.`,
      );
    }
    const out = new Float32Array(this.data.length);
    for (let i = 0; i < out.length; i++) out[i] = f(this.data[i], other.data[i]);
    return new Tensor(out, this.shape);
  }
}

/** `a + (b − a)·t`: `a` at t = 0, `b` at t = 1. */
export function lerp(a: Tensor, b: Tensor, t: number): Tensor {
  return a.zip(b, "interpolate", (from, to) => from + (to - from) * t);
}
