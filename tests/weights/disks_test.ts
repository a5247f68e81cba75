/** Disks that say no, for real: a full one, a read-only one, one of another user, a process with too many files open. */

import { open, saveRecord } from "fewstep";
import { savePicture } from "fewstep/view/picture.ts";
import { Tensor } from "fewstep";
import { writeWhole } from "fewstep/weights/files.ts";
import { writeSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { Random } from "../fuzz/random.ts";
import { goldenPath } from "../goldens/read.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

async function run(command: string, ...args: string[]): Promise<boolean> {
  return await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()
    .then(({ success }) => success, () => false);
}

/** A file system of so many bytes in memory, mounted for the test; false where this user may mount none. */
async function onSmallDisk(bytes: number, body: (disk: string) => Promise<void>): Promise<boolean> {
  const disk = await Deno.makeTempDir({ prefix: "fewstep-disk-" });
  try {
    if (!await run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", disk)) return false;
    try {
      await body(disk);
    } finally {
      await run("umount", disk);
    }
    return true;
  } finally {
    await Deno.remove(disk);
  }
}

const skipped = (why: string) => console.log(`skipped: ${why}`);
const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("a full disk: a sentence, nothing half-written, and what was there before stays", async () => {
  const done = await onSmallDisk(256 * 1024, async (disk) => {
    const path = join(disk, "a.safetensors");
    await writeSafetensors(path, new Map([["a", Tensor.zeros([1000])]]));
    const before = await Deno.readFile(path);
    const full = /^Cannot write .*: the disk is full\. Make room, or name another folder\.$/;
    await throwsSentence(() => writeSafetensors(path, new Map([["a", Tensor.zeros([100_000])]])), full);
    await throwsSentence(() => writeWhole(join(disk, "b"), new Uint8Array(1 << 20)), full);
    const random = new Random(1);
    const noise = Tensor.of(Array.from({ length: 3 * 400 * 400 }, () => random.below(256) / 255), [1, 3, 400, 400]);
    await throwsSentence(() => savePicture(noise, join(disk, "c.png")), full);
    await using model = await open(goldenPath("tiny-deep"));
    const size = { width: 128, height: 128 };
    const step = await model.begin({
      prompt: "a",
      size,
      seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
    });
    await throwsSentence(() => saveRecord(join(disk, "d.safetensors"), { model, step, image: noise }), full);
    equal(names(disk), ["a.safetensors"]);
    equal(await Deno.readFile(path), before);
  });
  if (!done) skipped("a small disk can be mounted by root alone");
});

Deno.test("a read-only disk", async () => {
  const done = await onSmallDisk(1 << 20, async (disk) => {
    ok(await run("mount", "-o", "remount,ro", disk), "remount");
    await throwsSentence(
      () => writeWhole(join(disk, "a"), new Uint8Array(1)),
      /^Cannot write .*: the disk is read-only\. Name another folder\.$/,
    );
    equal(names(disk), []);
  });
  if (!done) skipped("a disk can be mounted by root alone");
});

/** A few lines that print what they are refused with. */
function script(body: string): string {
  return `import { openSafetensors, writeSafetensors } from "${ROOT}lib/weights/safetensors.ts";
import { writeWhole, readText } from "${ROOT}lib/weights/files.ts";
const said = (run) => run().then(() => "written", (error) => error.message);
${body}`;
}

async function child(folder: string, body: string, ...before: string[]): Promise<string> {
  const path = join(folder, "child.ts");
  await Deno.writeTextFile(path, script(body));
  await Deno.chmod(path, 0o644);
  const deno = [Deno.execPath(), "run", "--quiet", "--no-check", "--no-lock", "--no-config", "-A", path];
  const [command, ...args] = [...before, ...deno];
  // Where coverage is counted, another user's process could not write what it counts.
  const { DENO_COVERAGE_DIR: _, ...inherited } = Deno.env.toObject();
  const { stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: folder,
    clearEnv: true,
    env: { ...inherited, DENO_DIR: join(folder, "deno"), HOME: folder, NO_COLOR: "1" },
  })
    .output();
  return (new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)).trim();
}

Deno.test("no permission: another user's folder and file", () =>
  inFolder(async (folder) => {
    // Root may do all: the child is nobody. Its own Deno must be reachable for it.
    const as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    await Deno.chmod(folder, 0o755);
    await Deno.writeTextFile(join(folder, "secret.json"), "{}");
    await Deno.chmod(join(folder, "secret.json"), 0o600);
    await Deno.mkdir(join(folder, "deno"));
    await Deno.chmod(join(folder, "deno"), 0o777);
    if (
      !await run(as[0], ...as.slice(1), Deno.execPath(), "--version") ||
      !await run(as[0], ...as.slice(1), "test", "-r", `${ROOT}deno.json`)
    ) {
      return skipped("no other user can be taken on here, or it could not read the kit");
    }
    const drop = join(folder, "drop"); // may be written to, and not read: its names cannot be synced
    await Deno.mkdir(drop);
    await Deno.chmod(drop, 0o733);
    const body = `console.log(await said(() => writeWhole(${JSON.stringify(join(folder, "a"))}, new Uint8Array(1))));
console.log(await said(() => writeWhole(${JSON.stringify(join(drop, "a"))}, new Uint8Array(1))));
console.log(await said(() => readText(${JSON.stringify(join(folder, "secret.json"))})));`;
    const lines = (await child(folder, body, ...as)).split("\n");
    equal(lines, [
      `Cannot write ${join(folder, "a")}: no permission to write there.`,
      "written",
      `Cannot open ${join(folder, "secret.json")}: no permission to read it.`,
    ]);
    ok(!names(folder).some((name) => name.endsWith(".incomplete")), "a temporary file was left");
  }));

Deno.test({
  name: "too many open files: read and write say so",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const path = JSON.stringify(join(folder, "a.safetensors"));
      const body = `await writeSafetensors(${path}, new Map());
const held = [];
try { for (;;) held.push(Deno.openSync("/dev/null")); } catch {}
console.log(await said(() => openSafetensors(${path})));
console.log(await said(() => writeWhole(${path}, new Uint8Array(1))));`;
      const said = await child(folder, body, "sh", "-c", 'ulimit -n 128; exec "$@"', "sh");
      const why = "this process has too many files open (ulimit -n). Close models or notebooks, or raise the limit.";
      const file = join(folder, "a.safetensors");
      equal(said.split("\n"), [`Cannot open ${file}: ${why}`, `Cannot write ${file}: ${why}`]);
    }),
});

Deno.test(
  "a file larger than the process may write",
  { ignore: Deno.build.os === "windows" },
  () =>
    inFolder(async (folder) => {
      const path = JSON.stringify(join(folder, "a.bin"));
      const body = `console.log(await said(() => writeWhole(${path}, new Uint8Array(1 << 22))));`;
      const said = await child(folder, body, "sh", "-c", 'ulimit -f 1024; trap "" XFSZ; exec "$@"', "sh");
      ok(
        /^Cannot write .*: it is larger than the file system or the limit of this process \(ulimit -f\) allows\.$/.test(
          said,
        ),
        said,
      );
      ok(!names(folder).some((name) => name.endsWith(".incomplete")), "a temporary file was left");
    }),
);

Deno.test("a power cut: the file is synced, then renamed, then its folder is synced", () =>
  inFolder(async (folder) => {
    if (!await run("strace", "-V")) return skipped("strace, which sees what a process asks of the system, is not here");
    const [out, log] = [join(folder, "out"), join(folder, "calls.txt")];
    await Deno.mkdir(out);
    const trace = ["strace", "-f", "-y", "-o", log, "-e", "trace=fsync,rename,renameat,renameat2"];
    const body = `console.log(await said(() => writeWhole(${JSON.stringify(join(out, "a"))}, new Uint8Array(1))));`;
    equal(await child(folder, body, ...trace), "written");
    const calls = (await Deno.readTextFile(log)).split("\n").filter((line) => line.includes(out));
    equal(calls.map((line) => [/fsync|rename/.exec(line)?.[0], line.match(/(?<=[<"])[^<>"]*(?=[>"])/)?.[0]]), [
      ["fsync", calls[0].match(/(?<=<)[^<>]*\.incomplete(?=>)/)?.[0]],
      ["rename", calls[0].match(/(?<=<)[^<>]*\.incomplete(?=>)/)?.[0]],
      ["fsync", out],
    ]);
  }));

Deno.test("what a maker of content throws is told as it is, and a name of 250 letters is written", () =>
  inFolder(async (folder) => {
    const reason = new DOMException("Stopped by the user.", "AbortError");
    const thrown = await writeWhole(join(folder, "a"), () => Promise.reject(reason)).catch((error) => error);
    equal(thrown, reason);
    equal(names(folder), []);
    const long = "ä".repeat(120);
    await writeWhole(join(folder, long), new Uint8Array(3));
    equal(names(folder), [long]);
    await throwsSentence(
      () => writeWhole(join(folder, "x".repeat(300)), new Uint8Array(1)),
      /longer than the file system allows/,
    );
  }));
