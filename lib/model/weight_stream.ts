/**
 * Weights on their way from file to file, changed as they pass: while pieces of some rows are worked on, one a
 * processor, the next is read and the one before is written. However large the model, a few pieces of some megabytes are
 * in memory.
 */

import { sizeOf, Tensor } from "../tensor/tensor.ts";
import { readWeight } from "../weights/read.ts";
import { type DType, OpenFiles } from "../weights/safetensors.ts";
import { shapeOf, type WeightRef } from "../weights/weights.ts";
import { type Change, productOf, STORED } from "./lora_sum.ts";
import type { LowRank, Stored, StoredRows, WeightArithmetic } from "./sessions/weight_arithmetic.ts";

/** One stored weight, and how it is to be written. */
export interface WeightJob extends Change {
  readonly to: "fp16" | "fp32";
  /** "transposed": rows become columns on the way. Default as a network sees it. */
  readonly turned?: "transposed";
  /** Called when the last of its bytes was handed out. */
  readonly done?: () => void;
}

/** Of a piece as it is read: enough that its fixed costs vanish, little enough to stay in a processor's cache. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Pieces alive beside those that are worked on: one being read, one being written, and one handed out. */
const BESIDE = 3;

const DTYPE: Readonly<Record<WeightJob["to"], DType>> = { fp16: "F16", fp32: "F32" };

/** What is read at once, and what becomes of it. */
interface Piece {
  readonly ref: WeightRef;
  readonly offset: number;
  readonly byteLength: number;
  /** What is added to the weight, read ahead like the piece itself. */
  readonly product: () => Promise<LowRank | undefined>;
  readonly finish: Finish;
  readonly done?: () => void;
}

type Finish = (read: Uint8Array<ArrayBuffer>, product?: LowRank) => Promise<Uint8Array<ArrayBuffer>>;

/** The same of a piece that begins at a byte of its weight. */
type FinishAt = (read: Uint8Array<ArrayBuffer>, product: LowRank | undefined, at: number) => ReturnType<Finish>;

/**
 * The bytes of all weights, in order. A piece holds until the next but one is asked for.
 *
 * @throws RangeError naming the weight when a value is too large for half floats
 */
export async function* streamWeights(
  jobs: Iterable<WeightJob>,
  arithmetic: WeightArithmetic,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using files = new OpenFiles();
  const ahead = 2 * arithmetic.lanes; // of one that is worked on, the next is read
  const alive = 2 * ahead + BESIDE; // they may take their places in any order
  const [reads, results] = [new Ring(alive), new Ring(alive)];
  const begin = ({ ref: { file }, offset, byteLength, product, finish }: Piece) => {
    const bytes = reads.next(byteLength);
    const parts = [product(), files.read(file, offset, bytes)] as const;
    const read = Promise.allSettled(parts).then(() => Promise.all(parts)); // where one fails, the other ends too
    const finished = read.then(([product]) => finish(bytes, product));
    finished.catch(() => {}); // awaited when its turn comes
    return finished;
  };
  const begun: { readonly finished: Promise<Uint8Array<ArrayBuffer>>; readonly done?: () => void }[] = [];
  try {
    for (const piece of piecesOf(jobs, files, arithmetic, results)) {
      begun.push({ finished: begin(piece), done: piece.done });
      if (begun.length <= ahead) continue;
      const [{ finished, done }] = begun.splice(0, 1);
      yield await finished;
      done?.();
    }
    for (const { finished, done } of begun) {
      yield await finished;
      done?.();
    }
  } finally {
    await Promise.allSettled(begun.map(({ finished }) => finished));
  }
}

function* piecesOf(
  jobs: Iterable<WeightJob>,
  files: OpenFiles,
  arithmetic: WeightArithmetic,
  results: Ring,
): Generator<Piece> {
  for (const job of jobs) {
    const { ref, modules, to, turned } = job;
    let making: ReturnType<typeof productOf> | undefined;
    const product = () => making ??= productOf(job, files, arithmetic);
    const from = STORED[ref.dtype];
    const upright = (turned === "transposed") === (ref.transposed ?? false);
    if (upright && modules.length === 0 && ref.dtype === DTYPE[to]) {
      yield* cut(job, 1, product, (bytes) => Promise.resolve(bytes));
      continue;
    }
    if (from === undefined || !upright || ref.transposed) {
      const finish: Finish = (_, product) => whole(job, product, arithmetic);
      yield { ref, offset: ref.offset, byteLength: 0, product, finish, done: job.done };
      continue;
    }
    const columns = sizeOf(ref.shape) / ref.shape[0];
    const rowBytes = columns * sizeOfOne(from);
    yield* cut(job, rowBytes, product, async (bytes, product, at) => {
      const [row, rows] = [at / rowBytes, bytes.length / rowBytes];
      const result: StoredRows = { dtype: to, bytes: results.next(rows * columns * sizeOfOne(to)) };
      const source = { dtype: from, bytes };
      const part = product && { ...product, up: product.up.subarray(row * product.rank, (row + rows) * product.rank) };
      await arithmetic.run(source, result, columns, part);
      if (to === "fp16") {
        await wantFinite(result.bytes, async () => {
          const exact = new Float32Array(rows * columns);
          await arithmetic.run(source, { dtype: "fp32", bytes: new Uint8Array(exact.buffer) }, columns, part);
          return exact;
        }, { key: ref.key, first: row * columns });
      }
      return result.bytes;
    });
  }
}

/** A weight in pieces of whole units, in the order in which it lies. */
function* cut(
  { ref, done }: WeightJob,
  unit: number,
  product: Piece["product"],
  finishAt: FinishAt,
): Generator<Piece> {
  const total = ref.byteLength;
  const step = Math.max(1, Math.floor(PIECE_BYTES / unit)) * unit;
  for (let at = 0; at < total; at += step) {
    const byteLength = Math.min(step, total - at);
    const finish: Finish = (bytes, product) => finishAt(bytes, product, at);
    yield { ref, offset: ref.offset + at, byteLength, product, finish, done: at + step >= total ? done : undefined };
  }
  if (total === 0) done?.();
}

/** A weight that no piece can be taken from: it changes its sides on the way, or holds other numbers than floats. */
async function whole(
  { ref, to, turned }: WeightJob,
  product: LowRank | undefined,
  arithmetic: WeightArithmetic,
): Promise<Uint8Array<ArrayBuffer>> {
  const shape = shapeOf(ref);
  const columns = sizeOf(shape) / shape[0];
  const weight = await readWeight(ref);
  const bytesOf = ({ data: { buffer, byteOffset, byteLength } }: Tensor) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  const sum = product ? new Tensor(new Float32Array(weight.data.length), shape) : weight;
  if (product) {
    const into: StoredRows = { dtype: "fp32", bytes: bytesOf(sum) };
    await arithmetic.run({ dtype: "fp32", bytes: bytesOf(weight) }, into, columns, product);
  }
  const result = turned === "transposed" ? transposed(sum) : sum;
  if (to === "fp32") return bytesOf(result);
  const bytes = new Uint8Array(2 * result.data.length);
  await arithmetic.run({ dtype: "fp32", bytes: bytesOf(result) }, { dtype: to, bytes }, result.data.length);
  await wantFinite(bytes, () => Promise.resolve(result.data), { key: ref.key, first: 0 });
  return bytes;
}

function transposed(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape;
  return tensor.map((_, i) => tensor.data[(i % rows) * columns + Math.floor(i / rows)]).reshape([columns, rows]);
}

function sizeOfOne(dtype: Stored): number {
  return dtype === "fp32" ? 4 : 2;
}

/**
 * Half floats without an infinity that was none before. Two are looked at in one step: where all exponent bits are
 * set, adding one to them carries into the sign's place.
 *
 * @param exact what they were rounded from, asked for only where it matters
 */
async function wantFinite(
  { buffer, byteOffset, length }: Uint8Array<ArrayBuffer>,
  exact: () => Promise<Float32Array>,
  { key, first }: { readonly key: string; readonly first: number },
): Promise<void> {
  const halves = new Uint16Array(buffer, byteOffset, length / 2);
  const pairs = new Uint32Array(buffer, byteOffset, length >> 2);
  let carried = (halves[halves.length - 1] & 0x7c00) + 0x0400;
  for (let i = 0; i < pairs.length; i++) carried |= (pairs[i] & 0x7c007c00) + 0x04000400;
  if ((carried & 0x80008000) === 0) return;
  const values = await exact();
  const lost = halves.findIndex((half, i) => (half & 0x7c00) === 0x7c00 && Number.isFinite(values[i]));
  if (lost < 0) return;
  throw new RangeError(
    `Cannot bake "${key}" as fp16: ${values[lost]} at index ${
      first + lost
    } is beyond half floats' 65504. Bake as fp32.`,
  );
}

/** Memory for pieces, used again and again. */
class Ring {
  readonly #slots: Uint8Array<ArrayBuffer>[] = [];
  readonly #size: number;
  #turn = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** That many bytes, good until as many others as the ring has places were asked for. */
  next(byteLength: number): Uint8Array<ArrayBuffer> {
    const slot = this.#turn++ % this.#size;
    const known = this.#slots[slot];
    const room = known !== undefined && known.length >= byteLength ? known : new Uint8Array(byteLength);
    this.#slots[slot] = room;
    return room.subarray(0, byteLength);
  }
}
