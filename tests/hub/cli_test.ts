import { join } from "node:path";
import { inWords } from "../../lib/cli/pull.ts";
import { equal, ok } from "../assert.ts";
import { big, blobOf, onBig, untilBytes, withHub } from "./model.ts";
import { COMMIT, refuse, REPO } from "./server.ts";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Those of the task: no programs are run, no native code is loaded. */
const permissions: readonly string[] = JSON.parse(await Deno.readTextFile("deno.json")).tasks.pull.command
  .split(" ").filter((word: string) => word.startsWith("--allow-"));

function start(
  env: Record<string, string>,
  args: readonly string[],
  allowed: readonly string[] = permissions,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-check", ...allowed, "lib/cli/pull.ts", ...args],
    env: { HF_HUB_OFFLINE: "", HF_TOKEN: "", HF_HOME: "/nowhere", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function end(process: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await process.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("pull: the path onto stdout, nothing else anywhere; --json tells each file", () =>
  withHub(async (hub, _options, cache) => {
    const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache };
    const snapshot = join(cache, "models--org--model/snapshots", COMMIT);
    equal(await end(start(env, [REPO, "--variant", "fp16"])), { code: 0, stdout: `${snapshot}\n`, stderr: "" });
    const named = await end(start(env, ["--file", "README.md", REPO, "--file=unet/config.json", "--json"]));
    equal(named.stderr, "");
    const { path, commit, files, milliseconds } = JSON.parse(named.stdout);
    equal({ path, commit }, { path: snapshot, commit: COMMIT });
    equal(files, [
      { path: "README.md", bytes: 9, how: "downloaded" },
      { path: "unet/config.json", bytes: 8, how: "cached" },
    ]);
    ok(milliseconds > 0, "time was taken");
    hub.seen.length = 0;
    equal(await end(start(env, [REPO, "--offline"])), { code: 0, stdout: `${snapshot}\n`, stderr: "" });
    equal(hub.seen.length, 0);
  }));

Deno.test("pull: a mistake on the command line is exit code 2, anything else 1; each is one sentence", () =>
  withHub(async (hub, _options, cache) => {
    const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: "hf_tokenThatNobodyMaySee" };
    hub.trouble = () => ({ response: refuse(403, "GatedRepo") });
    const mistakes: [code: number, args: string[], message: RegExp][] = [
      [2, [], /^Missing REF: what to pull, for example stabilityai\/sdxl-turbo\.$/],
      [2, ["a", "b"], /^Unexpected "b"/],
      [2, ["org/../x"], /^Cannot use "org\/\.\.\/x" as a model of the hub: .*\.$/],
      [2, [REPO, "--parallel", "0"], /^Cannot use --parallel "0": a whole number from 1 was wanted\.$/],
      [2, [REPO, "--variants"], /^Unknown option --variants\. Did you mean --variant\?$/],
      [1, [REPO], /^Cannot pull org\/model: the account of your token has no access\. .*\.$/],
      [1, [REPO, "--offline"], /^Cannot open org\/model: it is not in the cache .*\.$/],
    ];
    await Promise.all(mistakes.map(async ([code, args, message]) => {
      const ended = await end(start(env, args));
      equal([ended.code, ended.stdout], [code, ""], ended.stderr);
      ok(message.test(ended.stderr.trimEnd()), ended.stderr);
      ok(!ended.stderr.includes("NobodyMaySee"), "the token is not shown");
    }));
  }));

Deno.test("pull: without the permission to use the network it says so, once", () =>
  withHub(async (hub, _options, cache) => {
    const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache };
    const allowed = permissions.filter((permission) => permission !== "--allow-net");
    const { code, stderr } = await end(start(env, [REPO], allowed));
    equal(code, 1);
    ok(/^Cannot reach 127\.0\.0\.1:\d+: Deno was not allowed to, by --allow-net\.\n$/.test(stderr), stderr);
  }));

Deno.test("pull: Ctrl-C and a stop from outside end it at once, what has arrived is kept", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await withHub(async (hub, _options, cache) => {
      hub.trouble = onBig(hub, () => ({ stallAt: 8192 }));
      const process = start({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache }, [`${REPO}:${big}`]);
      const incomplete = `${blobOf(cache, hub.file(big))}.incomplete`;
      await untilBytes(incomplete, 8192);
      const began = performance.now();
      process.kill(signal);
      equal(await end(process), {
        code: 1,
        stdout: "",
        stderr: "Stopped. What has arrived is kept: the same command goes on from there.\n",
      });
      ok(performance.now() - began < 3000, `${performance.now() - began} ms`);
      equal((await Deno.stat(incomplete)).size, 8192);
    });
  }
});

Deno.test("pull: progress in words", () => {
  const state = {
    file: "unet/model.safetensors",
    files: { done: 1, total: 4 },
    bytes: { done: 1.2e9, total: 5.14e9 },
    bytesPerSecond: 43.1e6,
  };
  equal(inWords(state), "2/4 unet/model.safetensors · 1.20 GB of 5.14 GB · 43.1 MB/s · 2 min left");
  ok(inWords({ ...state, bytesPerSecond: 1e9 }).endsWith("· 4 s left"), "seconds");
  ok(inWords({ ...state, bytesPerSecond: 1e5 }).endsWith("· 10.9 h left"), "hours");
  equal(inWords({ ...state, bytesPerSecond: 0 }), "2/4 unet/model.safetensors · 1.20 GB of 5.14 GB");
});
