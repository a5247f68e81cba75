/**
 * Memory by the system's pages: files of weights that are mapped, so that pages come when they are read and go when they
 * are dropped, and the pages of what was freed.
 */

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
    // The GNU library's alone. It looks through all that is held, which takes a while.
    malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true, optional: true },
  }).symbols;
}

const [READ_ONLY, CLOSE_ON_EXEC, END, READABLE, PRIVATE, DROP] = [0, 0o2000000, 2, 1, 2, 4];
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
