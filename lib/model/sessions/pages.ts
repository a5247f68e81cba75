/**
 * Memory by the system's pages: files of weights that are mapped, so that pages come when they are read and go when they
 * are dropped, files that pass through without staying, and the pages of what was freed.
 */

import type { Passing } from "../../weights/files.ts";
import { text } from "./foreign.ts";

/** Calls of Linux's C library, and the numbers that they take: fcntl.h, sys/mman.h. */
function libc() {
  return Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
    mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
    madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
    munmap: { parameters: ["usize", "usize"], result: "i32" },
    posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
    sync_file_range: { parameters: ["i32", "i64", "i64", "u32"], result: "i32", nonblocking: true },
    // The GNU library's alone. It looks through all that is held, which takes a while.
    malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true, optional: true },
  }).symbols;
}

const [READ_ONLY, CLOSE_ON_EXEC, END, READABLE, PRIVATE, DROP] = [0, 0o2000000, 2, 1, 2, 4];

/** `POSIX_FADV_DONTNEED`; `SYNC_FILE_RANGE_WRITE`, and the same with waiting before and after. */
const [NOT_NEEDED, BEGIN, WHOLE] = [4, 2, 7];
const FAILED = 2n ** 64n - 1n;

let opened: ReturnType<typeof libc> | undefined;
const calls = () => Deno.build.os === "linux" ? opened ??= libc() : undefined;

/**
 * Gives what libraries have freed back to the system. By itself the C library keeps it for what comes next, which after
 * a model of ten gigabytes are ten gigabytes; the tasks' `MALLOC_MMAP_THRESHOLD_` makes it keep less, and a notebook's
 * kernel has no such setting.
 */
export async function trimHeap(): Promise<void> {
  await calls()?.malloc_trim?.(0n);
}

export class MappedFile {
  /** Where its first byte lies. It stays there until the file is closed. */
  readonly address: bigint;
  readonly #length: bigint;
  #closed = false;

  private constructor(address: bigint, length: bigint) {
    this.address = address;
    this.#length = length;
  }

  /** Undefined where the kit cannot map it. Elsewhere than on Linux the runtimes map by themselves. */
  static open(path: string): MappedFile | undefined {
    const c = calls();
    if (c === undefined) return undefined;
    const file = c.open(text(path), READ_ONLY | CLOSE_ON_EXEC);
    if (file < 0) return undefined;
    try {
      const length = c.lseek(file, 0n, END);
      const address = c.mmap(null, length, READABLE, PRIVATE, file, 0n);
      return address === FAILED ? undefined : new MappedFile(address, length);
    } finally {
      c.close(file); // the mapping holds the file
    }
  }

  /** Gives its pages back to the system, which keeps the file's content: who reads on gets them again. */
  drop(): void {
    if (!this.#closed) opened?.madvise(this.address, this.#length, DROP);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true; // its addresses may soon be another's
    opened?.munmap(this.address, this.#length);
  }
}

/** Bytes that are written before the disk is told to begin with them: enough for it to work in one go. */
const WINDOW = 32 * 2 ** 20;

/**
 * A file that is read or written once, from one end to the other, and does not stay in the system's memory: what was
 * read leaves, and what is written goes to the disk at once, beside the work on what comes next, and leaves after it. The
 * system by itself would keep all of it, push out what others had there, and begin to write when a tenth of the memory is
 * full, most of it at the end.
 *
 * Linux only. Where a file system does not take part, all is as it would be without.
 */
export class PassingFile implements Passing {
  readonly #file: number;
  /** Up to where the disk has begun, and up to where nothing is in memory any more. */
  #begun = 0;
  #gone = 0;
  #disk: Promise<unknown> = Promise.resolve();

  private constructor(file: number) {
    this.#file = file;
  }

  static open(path: string): PassingFile | undefined {
    const file = calls()?.open(text(path), READ_ONLY | CLOSE_ON_EXEC) ?? -1;
    return file < 0 ? undefined : new PassingFile(file);
  }

  read(offset: number, length: number): void {
    if (length >= 2 ** 20) this.#drop(offset, offset + length);
  }

  /** Waits where the disk is more than two windows behind: memory must not fill up with what waits for it. */
  async written(end: number): Promise<void> {
    if (end - this.#begun < WINDOW) return;
    await this.#disk;
    const [before, from] = [this.#gone, this.#begun];
    [this.#gone, this.#begun] = [from, end];
    this.#disk = this.#pass(before, from, end);
  }

  async #pass(before: number, from: number, end: number): Promise<void> {
    await this.#sync(from, end, BEGIN);
    if (before === from) return;
    await this.#sync(before, from, WHOLE);
    this.#drop(before, from);
  }

  async #sync(from: number, to: number, how: number): Promise<void> {
    await calls()?.sync_file_range(this.#file, BigInt(from), BigInt(to - from), how);
  }

  #drop(from: number, to: number): void {
    calls()?.posix_fadvise(this.#file, BigInt(from), BigInt(to - from), NOT_NEEDED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disk;
    calls()?.close(this.#file);
  }
}
