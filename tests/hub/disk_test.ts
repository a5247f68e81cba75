/** Disks that fill, that cannot be written, and that two programs write at once: real ones, no mocks. */

import { join } from "node:path";
import { withLock } from "../../lib/hub/lock.ts";
import { pause } from "../../lib/hub/patience.ts";
import { pull, pullFiles } from "../../lib/hub/pull.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { big, blobOf, filesUnder, onBig, repoFolder, settings, text, there, untilBytes, withHub } from "./model.ts";
import { noise, REPO, TestHub } from "./server.ts";

async function run(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A disk of its own, in memory. */
async function onDisk(size: string, body: (disk: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const disk = join(folder, "disk");
    await Deno.mkdir(disk);
    if (!await mount(size, disk)) throw new Error("the disk could not be mounted");
    try {
      await body(disk);
    } finally {
      ok(await run("umount", disk), "the disk was unmounted");
    }
  });
}

const mount = (size: string, disk: string) => run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", disk);

async function mayMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  const mounted = await mount("64k", folder) && await run("umount", folder);
  await Deno.remove(folder);
  if (!mounted) console.log("skipped: disks that fill and that are read-only, as only root on Linux may mount a tmpfs");
  return mounted;
}

const ignore = !await mayMount();

Deno.test(
  "a disk that cannot hold what is to come is told before anything comes",
  { ignore },
  () =>
    onDisk("256k", async (disk) => {
      await using hub = new TestHub([{ path: big, bytes: noise(300_000, 3), lfs: true }]);
      await throwsSentence(
        () => pull(`${REPO}:${big}`, settings(hub, disk)),
        /^Cannot pull org\/model:.*: 300 kB are still to come, the disk of .* has \d+ kB free\. HF_HUB_CACHE names another/,
      );
      equal(hub.transfers.length, 0);
    }),
);

Deno.test("a disk that fills in the midst is told; what has arrived is kept, and resumed when there is room", {
  ignore,
}, () =>
  onDisk("420k", async (disk) => {
    await using hub = new TestHub([{ path: big, bytes: noise(300_000, 3), lfs: true }]);
    const options = { ...settings(hub, disk), parallel: 2 };
    const filler = join(disk, "filler");
    hub.trouble = onBig(hub, () => {
      Deno.writeFileSync(filler, new Uint8Array(200_000));
      return undefined;
    });
    await throwsSentence(
      () => pull(`${REPO}:${big}`, options),
      /^Cannot pull .*: the disk of .*\.incomplete is full\. What has arrived is kept: make room and pull again\.$/,
    );
    const blob = blobOf(disk, hub.file(big));
    ok(!await there(blob), "nothing stands for the whole file");
    const left = await Deno.readFile(`${blob}.incomplete`);
    ok(left.length > 50_000, `${left.length} bytes were kept`);
    equal(left, hub.file(big).bytes.slice(0, left.length));

    hub.trouble = () => undefined;
    await Deno.remove(filler);
    const { path, files } = await pullFiles(`${REPO}:${big}`, options);
    equal(files[0].how, "resumed");
    equal(await Deno.readFile(path), hub.file(big).bytes);
  }));

Deno.test(
  "a disk that is read-only still gives what it holds, and says that it takes nothing more",
  { ignore },
  () =>
    onDisk("1m", async (disk) => {
      await using hub = new TestHub([text("a.json", "{}"), text("b.json", "{}")]);
      const options = settings(hub, disk);
      const path = await pull(`${REPO}:a.json`, options);
      ok(await run("mount", "-o", "remount,ro", disk), "the disk was made read-only");
      equal(await pull(`${REPO}:a.json`, options), path);
      await throwsSentence(
        () => pull(`${REPO}:b.json`, options),
        /^Cannot pull .*: the disk of .* is read-only\. HF_HUB/,
      );
    }),
);

Deno.test("a cache that lies where a file is is refused in one sentence", () =>
  withHub(async (_hub, options, cache) => {
    await Deno.writeTextFile(join(cache, "file"), "");
    await throwsSentence(() => pull(REPO, { ...options, cache: join(cache, "file") }), /^Cannot pull org\/model: /);
  }));

const worker = `
  import { pullFiles } from "./lib/hub/pull.ts";
  const [endpoint, cache] = Deno.args;
  const { files } = await pullFiles("${REPO}:${big}", { endpoint, cache, token: "", rangeBytes: 40_000 });
  console.log(files[0].how);
`;

function inProcess(endpoint: string, cache: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", worker, "--", endpoint, cache],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function outputOf(process: Deno.ChildProcess): Promise<string> {
  const { stdout, stderr } = await process.output();
  return (new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)).trim();
}

Deno.test("three processes that pull one file bring it once, and one that is killed leaves nothing in the way", () =>
  withHub(async (hub, { endpoint = "" }, cache) => {
    hub.trouble = onBig(hub, ({ range }) => range?.startsWith("bytes=120000-") ? { stallAt: 130_000 } : undefined);
    const killed = inProcess(endpoint, cache);
    const incomplete = `${blobOf(cache, hub.file(big))}.incomplete`;
    await untilBytes(incomplete, 130_000);
    const waiting = [1, 2].map(() => inProcess(endpoint, cache));
    await pause(300);
    killed.kill("SIGKILL");
    await outputOf(killed);
    hub.trouble = () => undefined;
    equal((await Promise.all(waiting.map(outputOf))).sort(), ["cached", "resumed"]);
    equal(await Deno.readFile(blobOf(cache, hub.file(big))), hub.file(big).bytes);
    equal((await filesUnder(join(repoFolder(cache), "blobs"))).length, 1);
  }));

Deno.test("a lock keeps others out, lets them in one by one, and is left alone on an abort", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a/b.lock");
    const { signal } = new AbortController();
    let [inside, most] = [0, 0];
    const work = () =>
      withLock(path, signal, async () => {
        most = Math.max(most, ++inside);
        await pause(20);
        inside--;
      });
    await Promise.all([work(), work(), work()]);
    equal(most, 1);
    const stop = new AbortController();
    await withLock(path, signal, async () => {
      const refused = withLock(path, stop.signal, () => Promise.resolve("in")).catch(() => "aborted");
      await pause(50);
      stop.abort();
      equal(await refused, "aborted");
    });
    // A lock file that was removed while it was held locks out nobody else's new one.
    await withLock(path, signal, async () => {
      await Deno.remove(path);
      equal(await withLock(path, signal, () => Promise.resolve("in")), "in");
    });
  }));
