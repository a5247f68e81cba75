/**
 * Weights on their way from file to file, changed as they pass: while pieces of some rows are worked on, one a
 * processor, the next is read and the one before is written. However large the model, a few pieces of some megabytes are
 * in memory.
 */

import { sizeOf, Tensor } from "../tensor/tensor.ts";
import type { OpenPassing } from "../weights/files.ts";
import { readWeight } from "../weights/read.ts";
import { type DType, OpenFiles } from "../weights/safetensors.ts";
import { shapeOf } from "../weights/weights.ts";
import { type Change, productsOf, STORED } from "./lora_sum.ts";
import { partOf, type Placed } from "./sessions/foreign.ts";
import {
  bytesOf,
  type LowRank,
  type Stored,
  type StoredRows,
  type WeightArithmetic,
} from "./sessions/weight_arithmetic.ts";

/** One stored weight, and how it is to be written. */
export interface WeightJob extends Change {
  readonly to: "fp16" | "fp32";
  /** "transposed": rows become columns on the way. Default as a network sees it. */
  readonly turned?: "transposed";
  /** Called when the last of its bytes was handed out. */
  readonly done?: () => void;
}

/** Of a piece as it is read and written: enough that its fixed costs vanish. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Of it, what is worked on at once: little enough that all its forms stay in a processor's own cache. */
const WORKED_BYTES = 2 ** 20;

/** Bytes of weights on their way, for each processor: a network's small tensors are many, and no work. */
const AHEAD_BYTES = 2 * PIECE_BYTES;

/** Pieces on their way at most. */
const AHEAD = 64;

const DTYPE: Readonly<Record<WeightJob["to"], DType>> = { fp16: "F16", fp32: "F32" };

/** Bytes to be written, begun ahead. */
interface Piece {
  readonly byteLength: number;
  /** Reads and works; what it gives is the pool's. */
  readonly make: () => Promise<Placed>;
  readonly done?: () => void;
}

/** What all pieces share. */
interface Means {
  readonly files: OpenFiles;
  readonly arithmetic: WeightArithmetic;
}

/**
 * The bytes of all weights, in order. A piece holds until the next but one is asked for, the last two until the
 * arithmetic is released.
 *
 * @param passing what looks after the files that they are read from
 * @throws RangeError naming the weight when a value is too large for half floats
 */
export async function* streamWeights(
  jobs: Iterable<WeightJob>,
  arithmetic: WeightArithmetic,
  passing?: OpenPassing,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  await using files = new OpenFiles(passing);
  const begun: { readonly piece: Piece; readonly made: Promise<Placed> }[] = [];
  const { lanes, pool } = arithmetic;
  let ahead = 0;
  const handedOut: Placed[] = [];
  async function* first() {
    const [{ piece, made }] = begun.splice(0, 1);
    ahead -= piece.byteLength;
    const memory = await made;
    handedOut.push(memory);
    yield memory.bytes;
    if (handedOut.length > 1) handedOut.splice(0, 1).forEach((memory) => pool.giveBack(memory));
    piece.done?.();
  }
  try {
    for (const piece of piecesOf(jobs, { files, arithmetic })) {
      const made = piece.make();
      made.catch(() => {}); // awaited when its turn comes
      begun.push({ piece, made });
      ahead += piece.byteLength;
      while (ahead > AHEAD_BYTES * lanes || begun.length > AHEAD) yield* first();
    }
    while (begun.length > 0) yield* first();
  } finally {
    await Promise.allSettled(begun.map(({ made }) => made));
  }
}

function* piecesOf(jobs: Iterable<WeightJob>, means: Means): Generator<Piece> {
  const { files, arithmetic } = means;
  const { pool } = arithmetic;
  for (const job of jobs) {
    const { ref, modules, to, turned, done } = job;
    const from = STORED[ref.dtype];
    const upright = (turned === "transposed") === (ref.transposed ?? false);
    if (ref.byteLength === 0) {
      done?.();
      continue;
    }
    const read = async (at: number, byteLength: number) => {
      const memory = pool.take(byteLength);
      await files.read(ref.file, ref.offset + at, memory.bytes);
      return memory;
    };
    if (upright && modules.length === 0 && ref.dtype === DTYPE[to]) {
      for (const { at, byteLength, last } of cut(ref.byteLength, PIECE_BYTES)) {
        yield { byteLength, make: () => read(at, byteLength), done: last ? done : undefined };
      }
      continue;
    }
    if (from === undefined || !upright || ref.transposed) {
      yield { byteLength: ref.byteLength, make: () => whole(job, means), done };
      continue;
    }
    const columns = sizeOf(ref.shape) / ref.shape[0];
    const rowBytes = columns * bytesOf(from);
    let added: Promise<readonly LowRank[]> | undefined;
    for (const { at, byteLength, last } of cut(ref.byteLength, rowsWithin(PIECE_BYTES, rowBytes))) {
      const make = async () => {
        // Where one fails, the other ends too.
        const parts = [added ??= productsOf(job, files, pool), read(at, byteLength)] as const;
        await Promise.allSettled(parts);
        const [products, memory] = await Promise.all(parts);
        const result = pool.take(byteLength / bytesOf(from) * bytesOf(to));
        // An even number of rows: halves are looked at by twos.
        const works = [...cut(byteLength, 2 * rowsWithin(WORKED_BYTES / 2, rowBytes))].map(async (part) => {
          const [row, rows] = [(at + part.at) / rowBytes, part.byteLength / rowBytes];
          const source = { dtype: from, ...partOf(memory, part.at, part.at + part.byteLength) };
          const place = part.at / bytesOf(from) * bytesOf(to);
          const target = { dtype: to, ...partOf(result, place, place + rows * columns * bytesOf(to)) };
          const own = products.map((product) => ({ ...product, up: rowsOf(product, row, row + rows) }));
          await arithmetic.run(source, target, columns, own);
          if (to === "fp32" || !hasInfinity(target.bytes)) return;
          const exact = { dtype: "fp32", ...pool.take(4 * rows * columns) } as const;
          await arithmetic.run(source, exact, columns, own);
          wantNoneLost(target.bytes, floatsOf(exact), { key: ref.key, first: row * columns });
          pool.giveBack(exact);
        });
        await Promise.allSettled(works);
        await Promise.all(works);
        pool.giveBack(memory);
        return result;
      };
      const finished = async () => {
        done?.();
        for (const { up, down } of await added ?? []) [up, down].forEach((memory) => pool.giveBack(memory));
      };
      yield { byteLength, make, done: last ? finished : undefined };
    }
  }
}

/** A weight's bytes in pieces, in the order in which they lie. */
function* cut(total: number, step: number) {
  for (let at = 0; at < total; at += step) {
    yield { at, byteLength: Math.min(step, total - at), last: at + step >= total };
  }
}

/** Bytes of as many whole rows as lie within others, and of one at least. */
function rowsWithin(bytes: number, rowBytes: number): number {
  return Math.max(1, Math.floor(bytes / rowBytes)) * rowBytes;
}

function rowsOf({ up, rank }: LowRank, begin: number, end: number): StoredRows {
  const rowBytes = rank * bytesOf(up.dtype);
  return { dtype: up.dtype, ...partOf(up, begin * rowBytes, end * rowBytes) };
}

/** A weight that no piece can be taken from: it changes its sides on the way, or holds other numbers than floats. */
async function whole(job: WeightJob, { files, arithmetic }: Means): Promise<Placed> {
  const { pool } = arithmetic;
  const { ref, to, turned } = job;
  const shape = shapeOf(ref);
  const columns = sizeOf(shape) / shape[0];
  const taken: Placed[] = [];
  const take = <const D extends Stored>(dtype: D, count: number) => {
    const memory = pool.take(count * bytesOf(dtype));
    taken.push(memory);
    return { dtype, ...memory };
  };
  const copied = ({ data }: Tensor) => {
    const memory = take("fp32", data.length);
    floatsOf(memory).set(data);
    return memory;
  };
  const given = <P extends Placed>(result: P): P => {
    for (const memory of taken) if (memory.address !== result.address) pool.giveBack(memory);
    for (const { up, down } of products) [up, down].forEach((memory) => pool.giveBack(memory));
    return result;
  };
  const [weight, products] = [await readWeight(ref), await productsOf(job, files, pool)];
  const sum = copied(weight);
  if (products.length > 0) await arithmetic.run(copied(weight), sum, columns, products);
  const exact = turned === "transposed" ? copied(transposed(new Tensor(floatsOf(sum), shape))) : sum;
  if (to === "fp32") return given(exact);
  const result = take(to, sizeOf(shape));
  await arithmetic.run(exact, result, sizeOf(shape));
  wantNoneLost(result.bytes, floatsOf(exact), { key: ref.key, first: 0 });
  return given(result);
}

function floatsOf({ bytes: { buffer, byteOffset, length } }: Placed): Float32Array<ArrayBuffer> {
  return new Float32Array(buffer, byteOffset, length / 4);
}

function transposed(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape;
  return tensor.map((_, i) => tensor.data[(i % rows) * columns + Math.floor(i / rows)]).reshape([columns, rows]);
}

/**
 * Whether half floats have an infinity, or what is no number, among them. Two are looked at in one step: where all
 * exponent bits are set, adding one to them carries into the sign's place.
 */
function hasInfinity({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>): boolean {
  const pairs = new Uint32Array(buffer, byteOffset, length >> 2);
  const last = new Uint16Array(buffer, byteOffset, length / 2).at(-1) ?? 0;
  let carried = (last & 0x7c00) + 0x0400;
  for (let i = 0; i < pairs.length; i++) carried |= (pairs[i] & 0x7c007c00) + 0x04000400;
  return (carried & 0x80008000) !== 0;
}

/** Half floats without an infinity that was none before. @param exact what they were rounded from */
function wantNoneLost(
  { buffer, byteOffset, length }: Uint8Array<ArrayBuffer>,
  exact: Float32Array,
  { key, first }: { readonly key: string; readonly first: number },
): void {
  const halves = new Uint16Array(buffer, byteOffset, length / 2);
  const lost = halves.findIndex((half, i) => (half & 0x7c00) === 0x7c00 && Number.isFinite(exact[i]));
  if (lost < 0) return;
  throw new RangeError(
    `Cannot bake "${key}" as fp16: ${exact[lost]} at index ${first + lost} is beyond half floats' 65504. Bake as fp32.`,
  );
}
