/** Files that pass through the system's memory: every byte arrives, and most of it does not stay. */

import { Buffer } from "node:buffer";
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MappedFile, PassingFile } from "fewstep/model/sessions/pages.ts";
import { OpenFiles, openSafetensors, streamPieces } from "fewstep/weights/safetensors.ts";
import { equal, ok, throwsSentence } from "../../assert.ts";
import { inFolder } from "../../files.ts";

const [PIECE, PIECES] = [4 * 2 ** 20, 48];

/** Bytes that differ from piece to piece. */
function pieceOf(i: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Uint32Array(PIECE / 4).fill(0x9e3779b9 * (i + 1)).buffer);
}

async function write(path: string, count: number, passing?: typeof PassingFile.open): Promise<void> {
  async function* pieces() {
    for (let i = 0; i < count; i++) yield await Promise.resolve(pieceOf(i));
  }
  await streamPieces(path, [{ name: "x", dtype: "U8", shape: [PIECE * PIECES] }], pieces(), undefined, { passing });
}

/** The share of a file's pages that are in memory. */
function residentShare(path: string): number {
  const library = Deno.dlopen("libc.so.6", {
    mincore: { parameters: ["usize", "usize", "buffer"], result: "i32" },
  });
  const mapped = MappedFile.open(path);
  if (mapped === undefined) throw new Error("The file could not be mapped.");
  try {
    const { size } = Deno.statSync(path);
    const pages = new Uint8Array(Math.ceil(size / 4096));
    equal(library.symbols.mincore(mapped.address, BigInt(size), pages), 0);
    return pages.filter((page) => page & 1).length / pages.length;
  } finally {
    mapped.close();
    library.close();
  }
}

const TMPFS = 0x01021994; // its files have no other place than memory
const keeps = Deno.build.os !== "linux" || statfsSync(tmpdir()).type === TMPFS;
if (keeps) {
  console.log("passing files: memory is not looked at, the temporary folder is no disk, or this is not Linux.");
}

Deno.test("a passing file has every byte, written or read, and most of its pages leave the memory", () =>
  inFolder(async (folder) => {
    const path = join(folder, "passed.safetensors");
    await write(path, PIECES, PassingFile.open);
    if (!keeps) ok(residentShare(path) < 0.6, `${residentShare(path)} of what was written is in memory`);
    const { tensors } = await openSafetensors(path);
    const { offset, byteLength } = tensors.get("x") ?? { offset: 0, byteLength: 0 };
    equal(byteLength, PIECE * PIECES);
    const bytes = new Uint8Array(PIECE);
    {
      await using files = new OpenFiles(PassingFile.open);
      for (let i = 0; i < PIECES; i++) {
        await files.read(path, offset + i * PIECE, bytes);
        equal(Buffer.compare(bytes, pieceOf(i)), 0, `piece ${i}`);
      }
    }
    // The system reads ahead of what is asked for, and rounds what leaves to whole pages.
    if (!keeps) ok(residentShare(path) < 0.3, `${residentShare(path)} of what was read is in memory`);
  }));

Deno.test("what ends in its midst leaves nothing behind, and its own error", () =>
  inFolder(async (folder) => {
    const path = join(folder, "short.safetensors");
    await throwsSentence(
      () => write(path, PIECES - 1, PassingFile.open),
      `Cannot write ${path}: ${PIECE * (PIECES - 1)} bytes were given, wanted are ${PIECE * PIECES}.`,
    );
    equal([...Deno.readDirSync(folder)].length, 0);
  }));

Deno.test("a file that cannot be looked after is undefined: it is then read and written as any other", () => {
  equal(PassingFile.open("/nowhere/at/all"), undefined);
});
