/**
 * Linux's files about this process and its processors. Deno opens some of them only with all permissions; a process
 * that may call native functions, as every one that runs a network, then asks the C library.
 */

/** Calls of the C library, or undefined where native functions may not be called. */
function libc() {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  return Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

let opened: ReturnType<typeof libc> | null = null;
const calls = () => opened === null ? opened = libc() : opened;

const [READ_ONLY, WRITE_ONLY] = [0, 1]; // fcntl.h
const buffer = new Uint8Array(1 << 16);

/** The beginning of a file of /proc, up to 64 KiB; undefined where it may not be read. */
export function readProc(path: `/proc/${string}`): string | undefined {
  return through(path, READ_ONLY, ({ read }, file) => {
    let [filled, count] = [0, 0];
    do {
      count = Number(read(file, buffer.subarray(filled), BigInt(buffer.length - filled)));
      if (count < 0) return undefined;
      filled += count;
    } while (count > 0 && filled < buffer.length);
    return new TextDecoder().decode(buffer.subarray(0, filled));
  });
}

/** Whether a few letters could be written to a file of /proc. */
export function writeProc(path: `/proc/${string}`, text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  return through(path, WRITE_ONLY, ({ write }, file) => Number(write(file, bytes, BigInt(bytes.length)))) ===
    bytes.length;
}

function through<T>(
  path: string,
  flags: number,
  use: (calls: NonNullable<ReturnType<typeof libc>>, file: number) => T | undefined,
): T | undefined {
  const c = calls();
  const file = c?.open(new TextEncoder().encode(`${path}\0`), flags) ?? -1;
  if (c === undefined || file < 0) return undefined;
  try {
    return use(c, file);
  } finally {
    c.close(file);
  }
}
