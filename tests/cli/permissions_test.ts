/** What each task may do, as deno.json says and docs/reliability.md lists, and that it is enough. */

import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { join } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;
const config: { readonly tasks: Readonly<Record<string, { readonly command: string }>> } = JSON.parse(
  Deno.readTextFileSync(`${ROOT}deno.json`),
);

const TOKEN = "hf_aSecretThatNobodyMaySee0123456789";
const TINY = ["--model", "data/goldens/tiny-deep", "--prompt", "a", "--steps", "1", "--size", "16x16"];

async function task(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...args],
    cwd: ROOT,
    env: { HF_TOKEN: TOKEN },
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

const permissions = (command: string) =>
  command.match(/(?:^|\s)(-A|--allow-\S+|--no-prompt)/g)?.map((flag) => flag.trim()) ?? [];

/** What a user runs on files of strangers; the rest are the developers' own scripts and servers. */
const NARROW = ["article", "bake", "compare", "demo", "diff", "generate", "inspect", "pull", "reproduce"];

Deno.test("no task that reads strangers' files has all permissions, and only pull has the network", () => {
  for (const name of NARROW) {
    const flags = permissions(config.tasks[name].command);
    ok(flags.includes("--no-prompt") && !flags.includes("-A") && !flags.includes("--allow-run"), `${name}: ${flags}`);
    equal(flags.some((flag) => flag.startsWith("--allow-net")), name === "pull", name);
  }
});

Deno.test("every task's permissions stand in docs/reliability.md", async () => {
  const docs = await Deno.readTextFile(`${ROOT}docs/reliability.md`);
  for (const [name, { command }] of Object.entries(config.tasks)) {
    const row = docs.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
    const flags = permissions(command).filter((flag) => flag !== "--no-prompt");
    const missing = flags.map((flag) => flag.replace(/^--allow-/, "")).filter((flag) => !row?.includes(flag));
    equal(missing, [], `the row of ${name}: ${row}`);
  }
});

Deno.test("generate on local files needs no network, and no token gets into what it writes or says", () =>
  inFolder(async (folder) => {
    const out = ["--out", `${folder}/a.png`, "--record", `${folder}/a.safetensors`, "--json"];
    const { code, stdout, stderr } = await task("generate", ...TINY, ...out);
    equal([code, stderr], [0, ""]);
    const { memory } = JSON.parse(stdout);
    ok(memory.peak >= memory.resident && memory.resident > 20e6, `memory is told: ${JSON.stringify(memory)}`);
    const missing = await task("generate", "--model", "nobody/nothing", "--prompt", "a", "--json");
    equal(missing.code, 1);
    const said = [stdout, missing.stdout, missing.stderr];
    for (const { name } of Deno.readDirSync(folder)) {
      said.push(new TextDecoder("latin1").decode(Deno.readFileSync(`${folder}/${name}`)));
    }
    equal(said.length, 5);
    for (const text of said) ok(!text.includes(TOKEN) && !text.includes(TOKEN.slice(3, 20)), "it tells the token");
  }));

/** What tells ONNX Runtime that it runs on a CI machine, where it reports nothing by itself. */
const CI = ["CI", "GITHUB_ACTIONS", "TF_BUILD", "CODEBUILD_BUILD_ID", "BUILD_ID", "JENKINS_URL", "GITLAB_CI"];

Deno.test("ONNX Runtime reports nothing to its maker: nothing of its own gets into the user's folders", () =>
  inFolder(async (folder) => {
    const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !CI.includes(name)));
    delete env.ORT_DISABLE_TELEMETRY;
    const out = join(folder, "a.png");
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "generate", ...TINY, "--out", out],
      cwd: ROOT,
      clearEnv: true,
      env: { ...env, DENO_DIR: await denoFolder(), HOME: folder, XDG_CACHE_HOME: folder, XDG_CONFIG_HOME: folder },
      stdout: "null",
      stderr: "null",
    }).output();
    equal(success, true);
    equal([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.png"]);
  }));

/** Where this Deno keeps what it has compiled: the next one need not compile it again, nor into a test's folder. */
async function denoFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], cwd: ROOT }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

Deno.test("importing the kit touches no network, writes nothing and starts nothing", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/import.ts`, `import "${ROOT}lib/mod.ts"; console.log("imported");`);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--no-prompt", "--config", `${ROOT}deno.json`]
        .concat("--allow-read", "--allow-env", "--allow-ffi", "--allow-sys", `${folder}/import.ts`),
    }).output();
    equal([code, new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)], [0, "imported\n", ""]);
  }));
