/** The cache is shared with Python: held against huggingface_hub itself, where `python3` has it. */

import { join } from "node:path";
import { withLock } from "../../lib/hub/lock.ts";
import { pull, pullFiles } from "../../lib/hub/pull.ts";
import { resolveModelPath } from "../../lib/hub/resolve.ts";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { big, filesUnder, there, until, withHub } from "./model.ts";
import { REPO } from "./server.ts";

/** FEWSTEP_PYTHON names another Python, such as a virtual environment's. */
const python = Deno.env.get("FEWSTEP_PYTHON") ?? "python3";

async function run(code: string, env: Record<string, string> = {}): Promise<string> {
  const quiet = { HF_HUB_DISABLE_XET: "1", HF_HUB_DISABLE_TELEMETRY: "1", HF_HUB_DISABLE_UPDATE_CHECK: "1" };
  const { success, stdout, stderr } = await new Deno.Command(python, { args: ["-c", code], env: { ...quiet, ...env } })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

async function hasHub(): Promise<boolean> {
  try {
    await run("import huggingface_hub");
    return true;
  } catch {
    console.log(
      `skipped: sharing the cache with Python, as ${python} has no huggingface_hub (FEWSTEP_PYTHON names one)`,
    );
    return false;
  }
}

const ignore = !await hasHub();

Deno.test(
  "what was pulled here, Python finds offline and asks no byte of again",
  { ignore },
  () =>
    withHub(async (hub, options, cache) => {
      const folder = await pull(REPO, options);
      const env = { HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint };
      const found = await run(
        `from huggingface_hub import hf_hub_download, scan_cache_dir
print(hf_hub_download("${REPO}", "${big}"))
print(scan_cache_dir().warnings)`,
        { ...env, HF_HUB_OFFLINE: "1" },
      );
      equal(found.split("\n"), [join(folder, big), "[]"]);
      hub.seen.length = 0;
      await run(`from huggingface_hub import hf_hub_download; hf_hub_download("${REPO}", "${big}")`, env);
      equal(hub.seen.map(({ method }) => method), ["HEAD"]);
    }),
);

Deno.test(
  "what Python has downloaded is found here, and not fetched again",
  { ignore },
  () =>
    withHub(async (hub, options, cache) => {
      const names = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", big];
      await run(
        `from huggingface_hub import hf_hub_download
for name in ${JSON.stringify(names)}: hf_hub_download("${REPO}", name)`,
        { HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint },
      );
      hub.seen.length = 0;
      const folder = await resolveModelPath(REPO, options);
      equal(await filesUnder(folder), names);
      equal(hub.seen.length, 0);
      const { files } = await pullFiles(REPO, { ...options, verify: "hash" });
      equal(files.map(({ how }) => how), names.map(() => "cached"));
      equal(hub.transfers.length, 0);
    }),
);

Deno.test("a lock that Python holds is waited for", { ignore }, () =>
  inFolder(async (folder) => {
    const [path, flag] = [join(folder, "a.lock"), join(folder, "held")];
    const holder = run(
      `import pathlib, time
from huggingface_hub.utils import WeakFileLock
with WeakFileLock("${path}"):
    pathlib.Path("${flag}").touch()
    time.sleep(0.5)`,
    );
    await until(() => there(flag));
    const began = performance.now();
    await withLock(path, new AbortController().signal, () => Promise.resolve());
    ok(performance.now() - began > 300, "the lock was waited for");
    await holder;
  }));
