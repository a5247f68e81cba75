/** What libraries of C want and give: addresses, and strings that end in a zero. */

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
