import { inFolder } from "../files.ts";
import { deepEqual, equal, match } from "node:assert/strict";

async function command(name: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", `lib/cli/${name}.ts`, ...args],
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("reproduce: a picture of generate is made again, kept, and told", () =>
  inFolder(async (folder) => {
    const model = ["--model", "models/pocket/base", "--unet", "models/pocket/lightning_4step_unet.safetensors"];
    const asked = [...model, "--recipe", "lightning-4step", "--prompt", "sunflower", "--seed", "7,8"];
    equal((await command("generate", ...asked, "--out", `${folder}/p.webp`)).code, 0);
    const again = await command("reproduce", `${folder}/p-1.webp`, "--out", `${folder}/again`);
    deepEqual([again.code, again.stderr], [0, ""]);
    equal(again.stdout, `same       lightning-4step, seed 7, 8: sunflower\n${folder}/again/run-0.png\n`);
    const shown = await command("reproduce", `${folder}/p-1.webp`, "--show");
    equal(JSON.parse(shown.stdout).runs[0].picture, 1);
  }));

Deno.test("reproduce: a mistake is one sentence", () =>
  inFolder(async (folder) => {
    const missing = await command("reproduce", `${folder}/none.png`);
    deepEqual([missing.code, missing.stderr], [1, `Cannot open ${folder}/none.png: it does not exist.\n`]);
    const nothing = await command("reproduce");
    equal(nothing.code, 2);
    match(nothing.stderr, /^Missing FILE: an exported file/);
  }));
