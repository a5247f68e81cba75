/** sha256 of files, read block by block. */

import { sha256 } from "fewstep/weights/digest.ts";
import { equal, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";

/** What is read at once, and some bytes around it. */
const BLOCK = 8 * 2 ** 20;

Deno.test("a file's digest is that of its bytes, whatever number of blocks they fill", () =>
  inFolder(async (folder) => {
    for (const length of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12345]) {
      const bytes = new Uint8Array(length).map((_, i) => (i * 2654435761) >>> 24);
      const path = `${folder}/${length}`;
      await Deno.writeFile(path, bytes);
      equal(await sha256(path), new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
    }
    await throwsSentence(() => sha256(`${folder}/none`), /^Cannot open .*none/);
    await throwsSentence(() => sha256(folder), /^Cannot open /);
  }));
