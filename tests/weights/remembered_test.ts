import { deepEqual, equal } from "node:assert/strict";
import { sha256 } from "../../lib/weights/digest.ts";
import { rememberedSha256 } from "../../lib/weights/remembered.ts";
import { inFolder } from "../files.ts";

Deno.test("a large file's digest is remembered until the file changes; a broken memory is done without", () =>
  inFolder(async (folder) => {
    const path = `${folder}/weights.safetensors`;
    using file = await Deno.create(path);
    await file.truncate(65 * 1024 ** 2);
    await Deno.utime(path, 1, 1);
    const digest = await sha256(path);
    equal(await rememberedSha256(path, `${folder}/memory`), digest);
    const memory = `${folder}/memory/digests.json`;
    const marked = (await Deno.readTextFile(memory)).replace(digest, "ab".repeat(32));
    await Deno.writeTextFile(memory, marked);
    equal(await rememberedSha256(path, `${folder}/memory`), "ab".repeat(32), "asked of the memory, not of the file");
    await Deno.utime(path, 2, 2);
    equal(await rememberedSha256(path, `${folder}/memory`), digest);
    await Deno.writeTextFile(memory, "{");
    equal(await rememberedSha256(path, `${folder}/memory`), digest);
  }));

Deno.test("a small file is hashed each time: nothing is remembered", () =>
  inFolder(async (folder) => {
    const path = `${folder}/small.safetensors`;
    await Deno.writeFile(path, new Uint8Array(1000));
    equal(await rememberedSha256(path, `${folder}/memory`), await sha256(path));
    deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["small.safetensors"]);
  }));
