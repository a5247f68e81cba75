/** What libraries of C want and give: addresses, memory of their own, and strings that end in a zero. */

/** Where a view's bytes lie. They stay there as long as something in JavaScript holds the view. */
export function addressOf({ buffer, byteOffset }: ArrayBufferView<ArrayBuffer>): bigint {
  // Asked of the buffer, not of the view: V8 keeps small arrays in a heap where they move, until their buffer is read.
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)) + BigInt(byteOffset);
}

/** A string as C wants it. */
export function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

/** The string at an address; nothing where there is none. */
export function textAt(address: bigint | Deno.PointerValue): string {
  const pointer = typeof address === "bigint" ? Deno.UnsafePointer.create(address) : address;
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** Strings as C wants several: an array of their addresses. What holds this holds them. */
export class TextList {
  readonly #strings: readonly Uint8Array<ArrayBuffer>[];
  readonly addresses: BigUint64Array<ArrayBuffer>;

  constructor(values: readonly string[]) {
    this.#strings = values.map(text);
    this.addresses = BigUint64Array.from(this.#strings, addressOf);
  }

  get length(): bigint {
    return BigInt(this.#strings.length);
  }
}

/** Bytes at an address that does not move. */
export interface Placed {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What gives memory: the system's C library. */
const HEAPS: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
  windows: "ucrtbase.dll",
};

function heap() {
  return Deno.dlopen(HEAPS[Deno.build.os] ?? "libc.so", {
    malloc: { parameters: ["usize"], result: "usize" },
    free: { parameters: ["usize"], result: "void" },
  }).symbols;
}

let openedHeap: ReturnType<typeof heap> | undefined;

/** A cache line: what processors read fastest begins at a multiple of it. */
const ALIGNMENT = 64n;

/**
 * Memory outside of JavaScript's, with whatever was in it before. Calls that leave JavaScript's thread free read and
 * write such memory alone: a worker's own goes when the worker is ended, while its last call still runs.
 */
export class NativeMemory implements Placed {
  readonly address: bigint;
  /** Of no use once the memory is freed, like all views of it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  #block: bigint;

  /** @throws RangeError where the system has no more */
  constructor(byteLength: number) {
    openedHeap ??= heap();
    this.#block = openedHeap.malloc(BigInt(byteLength) + ALIGNMENT);
    if (this.#block === 0n) throw new RangeError(`Cannot take ${byteLength} bytes of memory: there are no more.`);
    this.address = (this.#block + ALIGNMENT - 1n) / ALIGNMENT * ALIGNMENT;
    this.bytes = viewAt(this.address, byteLength);
  }

  /** A copy of a view's bytes. */
  static of({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>): NativeMemory {
    const memory = new NativeMemory(byteLength);
    memory.bytes.set(new Uint8Array(buffer, byteOffset, byteLength));
    return memory;
  }

  free(): void {
    if (this.#block !== 0n) openedHeap?.free(this.#block);
    this.#block = 0n;
  }
}

/** Memory used again and again. What is freed for good goes back to the system, which clears it before it is had again. */
export class MemoryPool implements Disposable {
  /** By size. */
  readonly #idle = new Map<number, NativeMemory[]>();
  readonly #taken = new Map<bigint, NativeMemory>();

  take(byteLength: number): Placed {
    const size = 2 ** Math.ceil(Math.log2(Math.max(byteLength, 4096)));
    const memory = this.#idle.get(size)?.pop() ?? new NativeMemory(size);
    this.#taken.set(memory.address, memory);
    return partOf(memory, 0, byteLength);
  }

  /** Takes back what begins where a block begins that it gave. */
  giveBack({ address }: Placed): void {
    const memory = this.#taken.get(address);
    if (memory === undefined) return;
    this.#taken.delete(address);
    const size = memory.bytes.length;
    this.#idle.set(size, [...this.#idle.get(size) ?? [], memory]);
  }

  /** No call may use its memory any more. */
  [Symbol.dispose](): void {
    for (const memory of [...this.#taken.values(), ...[...this.#idle.values()].flat()]) memory.free();
    this.#taken.clear();
    this.#idle.clear();
  }
}

/** The bytes at an address, where they lie. */
export function viewAt(address: bigint, byteLength: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null || byteLength === 0) return new Uint8Array(0);
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength));
}

/** A part of what lies somewhere. */
export function partOf({ address, bytes }: Placed, begin: number, end: number): Placed {
  return { address: address + BigInt(begin), bytes: bytes.subarray(begin, end) };
}

/** What opens a library by the system's own call. */
const LOADERS: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
  windows: "kernel32.dll",
};

/** `RTLD_NOW` */
const NOW = 2;

/**
 * Keeps an opened library in memory until the process is gone. Deno closes its own at the end of a program or worker:
 * too early for a library whose threads still run, or that others call when the process ends.
 */
export function keepLoaded(path: string): void {
  const { symbols } = Deno.dlopen(LOADERS[Deno.build.os] ?? "libc.so", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer", optional: true },
    LoadLibraryW: { parameters: ["buffer"], result: "pointer", optional: true },
  });
  // One more reference, which nothing ever gives back.
  symbols.dlopen?.(text(path), NOW);
  symbols.LoadLibraryW?.(wideText(path));
}

/** A string as Windows wants it: 16 bits a letter. */
export function wideText(value: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint16Array.from(`${value}\0`, (letter) => letter.charCodeAt(0)).buffer);
}
