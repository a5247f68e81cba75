import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { deepStrictEqual as equal, match } from "node:assert/strict";

const tiny = goldenPath("tiny-deep");

async function compare(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", "lib/cli/compare.ts", ...args],
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("compare: flags and a file that says the same give the same cells; the second runs nothing", () =>
  inFolder(async (folder) => {
    const store = ["--store", `${folder}/runs`];
    await Deno.writeTextFile(`${folder}/prompts.txt`, "gold fish\n\nsnow\n");
    const flags = [
      "--model",
      `x=${tiny},recipe=lightning-2step`,
      "--prompts",
      `${folder}/prompts.txt`,
      "--size",
      "32x32",
    ];
    const first = await compare(...flags, ...store);
    equal(first.stderr, "", "progress is silent where stderr is no terminal");
    equal(first.code, 0);
    match(first.stdout, /^model {2}recipe .*steps .*s a picture/);
    match(first.stdout, /\nx {6}lightning-2step +2 +0 +2 /);
    match(first.stdout, /\n2 cells in .*runs, after/);

    const models = [{ name: "x", model: tiny, recipe: "lightning-2step" }];
    const file = { models, prompts: ["gold fish", "snow"], size: { width: 32, height: 32 } };
    await Deno.writeTextFile(`${folder}/plan.json`, JSON.stringify(file));
    const { mtime } = await Deno.stat(`${folder}/runs/pictures`);
    const second = await compare(`${folder}/plan.json`, ...store, "--json");
    equal(second.code, 0);
    const { cells, summary } = JSON.parse(second.stdout);
    equal(cells.map(({ prompt, seed }: Record<string, string>) => [prompt, seed]), [["gold fish", "0"], ["snow", "0"]]);
    equal(summary[0].cells, 2);
    equal((await Deno.stat(`${folder}/runs/pictures`)).mtime, mtime);
  }));

Deno.test("compare: what cannot be used is refused in a sentence, 2 for the command line and 1 for a file", () =>
  inFolder(async (folder) => {
    const store = ["--store", `${folder}/runs`];
    const refused = async (code: number, pattern: RegExp, ...args: string[]) => {
      const found = await compare(...args, ...store);
      match(found.stderr, pattern);
      match(found.stderr, /^[^\n]*[.?]\n$/);
      equal([found.code, found.stdout], [code, ""]);
    };
    await refused(2, /^Missing --model/, "--prompt", "x");
    await refused(2, /^Missing --prompts/, "--model", `x=${tiny}`);
    await refused(2, /^Cannot use "size=3" in --model/, "--model", `x=${tiny},size=3`, "--prompt", "x");
    await refused(
      2,
      /^Cannot use recipe "fast" in --recipe/,
      "--model",
      `x=${tiny}`,
      "--prompt",
      "x",
      "--recipe",
      "fast",
    );
    const plan = `${folder}/plan.json`;
    await Deno.writeTextFile(plan, `{"models": [{"name": "x", "model": "y", "lora": "z"}], "prompts": ["x"]}`);
    await refused(1, /"models\.0\.lora" is no key that a comparison has\.$/m, plan);
    await Deno.writeTextFile(plan, `{"models": [{"name": "x"}], "prompts": ["x"]}`);
    await refused(1, /"models\.0\.model" is missing\.$/m, plan);
    await refused(2, /^Cannot use --seeds with .*plan\.json: the file says it all/, plan, "--seeds", "1");
  }));
