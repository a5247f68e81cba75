import { join } from "node:path";
import { place } from "../../lib/hub/cache.ts";
import { pull } from "../../lib/hub/pull.ts";
import { resolveModelPath } from "../../lib/hub/resolve.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { big, blobOf, repoFolder, withHub } from "./model.ts";
import { COMMIT, REPO } from "./server.ts";

const never: typeof fetch = () => Promise.reject(new Error("asked the network"));

Deno.test("a path is itself, a reference is what the cache holds, and no network is asked", () =>
  withHub(async (hub, options) => {
    const folder = await pull(REPO, options);
    hub.seen.length = 0;
    const offline = { ...options, fetch: never };
    equal(await resolveModelPath("models/pocket/base", offline), "models/pocket/base");
    equal(await resolveModelPath(REPO, offline), folder);
    equal(await resolveModelPath(`${REPO}:${big}`, offline), join(folder, big));
    equal(await resolveModelPath(`hf://${REPO}/${big}`, offline), join(folder, big));
    equal(await resolveModelPath(`${REPO}@${COMMIT}`, offline), folder);
    equal(hub.seen.length, 0);
  }));

Deno.test("what the cache lacks is told with the command that brings it", () =>
  withHub(async (hub, options, cache) => {
    const offline = { ...options, fetch: never };
    const missing = async (reference: string, message: RegExp, more = {}) => {
      await throwsSentence(() => resolveModelPath(reference, { ...offline, ...more }), message);
    };
    await missing(
      REPO,
      /^Cannot open org\/model: it is not in the cache \(.*\)\. deno task pull org\/model brings it\.$/,
    );
    await missing(REPO, /\. When no longer offline, deno task pull org\/model brings it\.$/, { offline: true });
    await pull(`${REPO}:unet/config.json`, options);
    await missing(`${REPO}:${big}`, /unet\/diffusion_pytorch_model\.safetensors is not in the cache/);
    await missing(`${REPO}:one file.safetensors`, /deno task pull 'org\/model:one file\.safetensors' brings it/);
    await missing(REPO, /it is in the cache only in part: /);
    await missing(`${REPO}@v2`, /org\/model@v2: it is not in the cache/);
    await pull(REPO, options);
    await Deno.remove(blobOf(cache, hub.file(big)));
    await missing(REPO, /it is in the cache only in part: unet missing \(/);
    await missing(`${REPO}:${big}`, /is not in the cache/);
  }));

Deno.test("a pull that ended halfway leaves no model that could be opened", () =>
  withHub(async (hub, options) => {
    hub.trouble = ({ at }) => at === "storage" ? { cutAt: 100 } : undefined;
    await throwsSentence(() => pull(REPO, { ...options, retry: { times: 0 } }), /Is the network up/);
    await throwsSentence(() => resolveModelPath(`${REPO}@${COMMIT}`, { ...options, fetch: never }), /only in part/);
    await throwsSentence(() => resolveModelPath(REPO, { ...options, fetch: never }), /it is not in the cache/);
  }));

Deno.test("pull: true brings what the cache lacks, and asks nothing about what it holds", () =>
  withHub(async (hub, options) => {
    const bringing = { ...options, pull: true };
    await throwsSentence(() => resolveModelPath(REPO, { ...bringing, offline: true }), /it is not in the cache/);
    equal(hub.seen.length, 0);
    const path = await resolveModelPath(`${REPO}:${big}`, bringing);
    equal(await Deno.readFile(path), hub.file(big).bytes);
    hub.seen.length = 0;
    equal(await resolveModelPath(`${REPO}:${big}`, bringing), path);
    equal(hub.seen.length, 0);
  }));

Deno.test("what no path can be is no path: it is read as a reference, and refused as one", async () => {
  for (const text of ["org/name:a\0b", `org/name:${"x".repeat(5000)}`]) {
    await throwsSentence(() => resolveModelPath(text, { fetch: never }), /^Cannot use .* as a model of the hub: /);
    await throwsSentence(() => pull(text, { fetch: never }), /^Cannot use .* as a model of the hub: /);
  }
});

Deno.test("what is plainly a path is not called a reference, and what is neither is told so", async () => {
  const options = { fetch: never, env: () => undefined };
  for (const path of ["./missing", "/missing", "missing.safetensors", "models/pocket/missing", "~/missing", "C:\\x"]) {
    await throwsSentence(() => resolveModelPath(path, options), `Cannot open ${path}: it does not exist.`);
  }
  await throwsSentence(() => resolveModelPath("missing", options), /"missing" is not of the form org\/name/);
});

Deno.test("importing the hub needs no permission: no network, no variable, no file but code", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "lib/hub/mod.ts"],
  }).output();
  equal(code, 0, new TextDecoder().decode(stderr));
});

Deno.test("without symbolic links a blob is linked hard, without any links it moves", () =>
  inFolder(async (folder) => {
    const [blob, link] = [join(folder, "blob"), join(folder, "link")];
    const no = () => Promise.reject(new Deno.errors.NotSupported("no links here"));
    await Deno.writeTextFile(blob, "bytes");
    await place(blob, link, [no, Deno.link, Deno.rename]);
    equal(await Deno.readTextFile(link), "bytes");
    ok(!(await Deno.lstat(link)).isSymlink, "a hard link");
    await Deno.remove(link);
    await place(blob, link, [no, no, Deno.rename]);
    equal(await Deno.readTextFile(link), "bytes");
    await Deno.writeTextFile(blob, "others");
    await place(blob, link);
    equal(await Deno.readTextFile(link), "bytes", "what another program has put there stays");
  }));

Deno.test("a snapshot folder whose names leave it is not followed", () =>
  withHub(async (_hub, options, cache) => {
    await pull(REPO, options);
    await Deno.writeTextFile(join(repoFolder(cache), "refs", "main"), "../../../../etc");
    await throwsSentence(() => resolveModelPath(REPO, { ...options, fetch: never }), /it is not in the cache/);
  }));
