import { join } from "node:path";
import { pause } from "../../lib/hub/patience.ts";
import { pull, pullFiles } from "../../lib/hub/pull.ts";
import { ProgressMeter, type PullProgress } from "../../lib/hub/progress.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { big, blobOf, filesUnder, onBig, repoFolder, text, there, untilBytes, withHub } from "./model.ts";
import { COMMIT, hashOf, noise, random, refuse, REPO } from "./server.ts";

Deno.test("a folder comes as the standard cache holds it, with the files that SDXL needs and no others", () =>
  withHub(async (hub, options, cache) => {
    const { path, commit, files } = await pullFiles(REPO, options);
    equal(commit, COMMIT);
    equal(path, join(repoFolder(cache), "snapshots", COMMIT));
    const wanted = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", big];
    equal(await filesUnder(path), wanted);
    equal(files.map(({ path, how }) => `${how} ${path}`), wanted.map((path) => `downloaded ${path}`));
    for (const file of wanted.map((path) => hub.file(path))) {
      equal(await Deno.readFile(join(path, file.path)), file.bytes, file.path);
      const up = "../".repeat(file.path.split("/").length + 1);
      equal(await Deno.readLink(join(path, file.path)), `${up}blobs/${hashOf(file)}`);
    }
    equal(await Deno.readTextFile(join(repoFolder(cache), "refs", "main")), COMMIT);
    equal((await filesUnder(join(repoFolder(cache), "blobs"))).length, 4, "nothing else lies among the blobs");
    ok(hub.transfers.filter(({ at }) => at === "storage").length >= 8, "the large file came in ranges");
  }));

Deno.test("a variant comes in place of the plain weights, and named files in place of all", () =>
  withHub(async (hub, options) => {
    const folder = await pull(REPO, { ...options, variant: "fp16" });
    ok((await filesUnder(folder)).includes("unet/diffusion_pytorch_model.fp16.safetensors"), "fp16 is there");
    ok(!(await filesUnder(folder)).includes(big), "plain is not");
    const file = await pull(`${REPO}:one file.safetensors`, options);
    equal(await Deno.readFile(file), hub.file("one file.safetensors").bytes);
    equal(await pull(REPO, { ...options, files: ["empty.txt", "README.md"] }), folder);
    equal((await Deno.stat(join(folder, "empty.txt"))).size, 0);
    await throwsSentence(() => pull(REPO, { ...options, files: ["../x"] }), /has a "\.\.".*Wanted are paths/);
    await throwsSentence(() => pull(REPO, { ...options, variant: "../x" }), /"\.\.\/x" is no variant/);
  }));

Deno.test("what is in the cache is not fetched again; a commit that is there needs no network at all", () =>
  withHub(async (hub, options) => {
    await pull(REPO, options);
    const before = hub.transfers.length;
    const { files } = await pullFiles(REPO, options);
    equal(new Set(files.map(({ how }) => how)), new Set(["cached"]));
    equal(hub.transfers.length, before);
    await pull(`${REPO}@${COMMIT}:README.md`, options);
    const requests = hub.seen.length;
    await pull(`${REPO}@${COMMIT}:${big}`, options);
    await pull(REPO, { ...options, offline: true });
    equal(hub.seen.length, requests);
  }));

Deno.test("a new commit brings what has changed and links what has not", () =>
  withHub(async (hub, options, cache) => {
    await pull(REPO, options);
    hub.commit = "f".repeat(40);
    hub.replace(text("unet/config.json", '{"a": 2}'));
    const { path, files } = await pullFiles(REPO, options);
    equal(files.filter(({ how }) => how !== "cached").map(({ path }) => path), ["unet/config.json"]);
    equal(await Deno.readFile(join(path, big)), hub.file(big).bytes);
    equal(await Deno.readTextFile(join(repoFolder(cache), "refs", "main")), hub.commit);
  }));

Deno.test("a path on this disk wins over a name on the hub", () =>
  inFolder(async (folder) => {
    const never: typeof fetch = () => Promise.reject(new Error("asked the network"));
    equal(await pull(folder, { fetch: never }), folder);
    equal(await pull("tests/hub", { fetch: never }), "tests/hub");
  }));

Deno.test("a download that was cut at any of 50 bytes is no file, and is resumed from where it was cut", () =>
  withHub(async (hub, options, cache) => {
    const next = random(50);
    const { bytes } = hub.file(big);
    const blob = blobOf(cache, hub.file(big));
    const incomplete = `${blob}.incomplete`;
    const link = join(repoFolder(cache), "snapshots", COMMIT, big);
    let resumed = 0;
    for (let round = 0; round < 50; round++) {
      const cutAt = Math.floor(next() * bytes.length);
      hub.trouble = onBig(hub, ({ range }) => {
        const [, first = "0", last = String(bytes.length)] = /(\d+)-(\d+)/.exec(range ?? "") ?? [];
        return cutAt >= Number(first) && cutAt <= Number(last) ? { cutAt } : undefined;
      });
      const how = { ...options, parallel: 1 + round % 4, retry: { times: 0 } };
      await throwsSentence(
        () => pull(`${REPO}:${big}`, how),
        /^Cannot pull .*: the connection to .* failed \(.*Is the net/,
      );
      ok(!await there(blob) && !await there(link), `cut at ${cutAt}: nothing stands for the whole file`);
      const left = await Deno.readFile(incomplete);
      ok(left.length <= cutAt, `cut at ${cutAt}, ${left.length} bytes kept`);
      equal(left, bytes.slice(0, left.length), "what is kept is the file's beginning");

      hub.trouble = () => undefined;
      hub.seen.length = 0;
      const { files, path } = await pullFiles(`${REPO}:${big}`, options);
      equal(files[0].how, left.length > 0 ? "resumed" : "downloaded");
      resumed += left.length > 0 ? 1 : 0;
      const starts = hub.transfers.filter(({ at }) => at === "storage")
        .map(({ range }) => Number(/\d+/.exec(range ?? "0")?.[0]));
      equal(Math.min(...starts), left.length, "no byte comes twice");
      equal(await Deno.readFile(path), bytes);
      ok(!await there(incomplete), "the rest of the download is gone");
      await Deno.remove(blob);
      await Deno.remove(link);
    }
    ok(resumed >= 40, `only ${resumed} of 50 cuts kept anything`);
  }));

Deno.test("a cut connection is taken up within the same pull, whatever the number of cuts", () =>
  withHub(async (hub, options) => {
    hub.trouble = onBig(hub, ({ range }) => ({ cutAt: Number(/\d+/.exec(range ?? "0")?.[0]) + 9000 }));
    const path = await pull(`${REPO}:${big}`, { ...options, retry: { times: 1, wait: 1 } });
    equal(await Deno.readFile(path), hub.file(big).bytes);
    ok(hub.transfers.length > 30, `${hub.transfers.length} requests: every one was cut`);
  }));

Deno.test("bytes left by something else are noticed by their hash, and the file comes anew", () =>
  withHub(async (hub, options, cache) => {
    const { bytes } = hub.file(big);
    const incomplete = `${blobOf(cache, hub.file(big))}.incomplete`;
    const lefts = [noise(100_000, 77), noise(300_001, 78), noise(300_000, 79), bytes.slice(0, 1), bytes];
    for (const [i, left] of lefts.entries()) {
      await Deno.mkdir(join(repoFolder(cache), "blobs"), { recursive: true });
      await Deno.writeFile(incomplete, left);
      const { path, files } = await pullFiles(`${REPO}:${big}`, options);
      equal(files[0].how, i < 3 ? "downloaded" : "resumed");
      equal(await Deno.readFile(path), bytes);
      await Deno.remove(blobOf(cache, hub.file(big)));
    }
  }));

Deno.test("a blob of the wrong size is no blob; one of wrong bytes is found by verify: hash", () =>
  withHub(async (hub, options, cache) => {
    const blob = blobOf(cache, hub.file(big));
    const path = await pull(`${REPO}:${big}`, options);
    await Deno.writeFile(blob, noise(1000));
    equal((await pullFiles(`${REPO}:${big}`, options)).files[0].how, "downloaded");
    equal(await Deno.readFile(path), hub.file(big).bytes);
    await Deno.writeFile(blob, noise(300_000, 5));
    equal((await pullFiles(`${REPO}:${big}`, options)).files[0].how, "cached", "the size is right");
    equal((await pullFiles(`${REPO}:${big}`, { ...options, verify: "hash" })).files[0].how, "downloaded");
    equal(await Deno.readFile(path), hub.file(big).bytes);
  }));

Deno.test("a server that ignores ranges is read from its beginning, and what is there is kept", () =>
  withHub(async (hub, options, cache) => {
    hub.trouble = onBig(hub, () => ({ ignoreRange: true }));
    const { bytes } = hub.file(big);
    equal(await Deno.readFile(await pull(`${REPO}:${big}`, options)), bytes);
    await Deno.remove(blobOf(cache, hub.file(big)));
    await Deno.writeFile(`${blobOf(cache, hub.file(big))}.incomplete`, bytes.slice(0, 123_457));
    let cuts = 2;
    hub.trouble = onBig(hub, ({ range }) => ({
      ignoreRange: true,
      cutAt: range === undefined && cuts-- > 0 ? 200_000 : undefined,
    }));
    const { path, files } = await pullFiles(`${REPO}:${big}`, options);
    equal([files[0].how, cuts], ["resumed", -1]);
    equal(await Deno.readFile(path), bytes);
  }));

Deno.test("as many ranges are under way at once as are asked for, four by default", () =>
  withHub(async (hub, options, cache) => {
    for (const parallel of [undefined, 1, 3]) {
      let [now, most] = [0, 0];
      hub.trouble = async ({ at }) => {
        if (at !== "storage") return undefined;
        most = Math.max(most, ++now);
        await pause(50);
        now--;
      };
      await pull(`${REPO}:${big}`, { ...options, parallel });
      equal(most, parallel ?? 4);
      await Deno.remove(blobOf(cache, hub.file(big)));
    }
  }));

Deno.test("a listing of many pages is read to its end", () =>
  withHub(async (hub, options) => {
    hub.pageSize = 2;
    equal((await pullFiles(REPO, options)).files.length, 4);
    equal(hub.seen.filter(({ path }) => path.includes("/tree/")).length, 6);
  }));

Deno.test("progress tells files and bytes, and ends with all of both", () =>
  withHub(async (_hub, options) => {
    const told: PullProgress[] = [];
    await pull(REPO, { ...options, onProgress: (progress) => void told.push(progress) });
    const last = told[told.length - 1];
    equal(last.files, { done: 4, total: 4 });
    equal(last.bytes.done, last.bytes.total);
    for (const [i, { bytes }] of told.entries()) {
      ok(i === 0 || bytes.done >= told[i - 1].bytes.done, "bytes never run backwards");
    }
  }));

Deno.test("the rate is that of the last five seconds, and of no less than one", () => {
  let [clock, last, told] = [0, 0, 0];
  const tell = ({ bytesPerSecond }: PullProgress) => {
    last = bytesPerSecond;
    told++;
  };
  const meter = new ProgressMeter({ files: 1, bytes: 1e6 }, tell, () => clock);
  const at = (milliseconds: number, arrived: number) => {
    clock = milliseconds;
    meter.advance(0, arrived);
    return last;
  };
  meter.begin("file");
  equal(at(500, 1000), 0);
  equal(at(1000, 1000), 2000);
  equal(at(4000, 2000), 1000);
  equal(at(8000, 0), 400, "what came at 4 s is in, what came before 3 s is out");
  equal(at(9500, 0), 0);
  const before = told;
  for (let i = 0; i < 99; i++) at(9501 + i, 10);
  equal(told - before, 0, "no eye follows more than ten reports a second");
  at(9600, 10);
  equal(told - before, 1);
});

Deno.test("an abort ends a stalled pull at once, and keeps what has arrived", () =>
  withHub(async (hub, options, cache) => {
    hub.trouble = onBig(hub, ({ range }) => range?.startsWith("bytes=0-") ? { stallAt: 20_480 } : undefined);
    const stop = new AbortController();
    const incomplete = `${blobOf(cache, hub.file(big))}.incomplete`;
    const running = pull(`${REPO}:${big}`, { ...options, signal: stop.signal }).catch((error: unknown) => error);
    await untilBytes(incomplete, 20_480);
    const asked = performance.now();
    stop.abort(new DOMException("stopped by the test", "AbortError"));
    const error = await running;
    ok(error instanceof DOMException && error.message === "stopped by the test", String(error));
    ok(performance.now() - asked < 2000, `${performance.now() - asked} ms after the abort`);
    equal(await Deno.readFile(incomplete), hub.file(big).bytes.slice(0, 20_480));
    hub.trouble = () => undefined;
    equal((await pullFiles(`${REPO}:${big}`, options)).files[0].how, "resumed");
  }));

Deno.test("a server that falls silent counts as cut", () =>
  withHub(async (hub, options) => {
    let silent = 1;
    hub.trouble = onBig(hub, () => silent-- > 0 ? { stallAt: 10_000 } : undefined);
    const retry = { times: 2, wait: 1, idle: 100 };
    equal(await Deno.readFile(await pull(`${REPO}:${big}`, { ...options, retry })), hub.file(big).bytes);
    hub.trouble = ({ path }) => path.includes("one%20file") ? { response: refuse(503) } : undefined;
    await throwsSentence(
      () => pull(`${REPO}:one file.safetensors`, { ...options, retry }),
      /has trouble \(503\), 3 times in a row\. Is the network up\?$/,
    );
  }));

Deno.test("two pulls of one file at once share one download", () =>
  withHub(async (hub, options) => {
    const both = await Promise.all([1, 2].map(() => pullFiles(`${REPO}:${big}`, options)));
    equal(both.map(({ files }) => files[0].how).sort(), ["cached", "downloaded"]);
    equal(hub.transfers.filter(({ at }) => at === "storage").length, 8);
    equal(await Deno.readFile(both[0].path), hub.file(big).bytes);
  }));
