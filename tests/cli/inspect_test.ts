/** `deno task inspect`: what it prints, and how it ends. */

import { parse, UsageError } from "../../lib/cli/args.ts";
import { generate } from "../../lib/cli/generate.ts";
import { inspectCommand } from "../../lib/cli/inspect.ts";
import { match, throws } from "node:assert/strict";
import { join } from "node:path";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { layouts, write } from "../layouts.ts";

const POCKET = "models/pocket/base";
const LIGHTNING = "models/pocket/lightning_4step_unet.safetensors";

async function inspect(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "lib/cli/inspect.ts", ...args],
    env: { NO_COLOR: "1" },
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("inspect: a report that fits a terminal, its commands whole", async () => {
  const { code, stdout, stderr } = await inspect(POCKET);
  equal([code, stderr], [0, ""]);
  match(stdout, /^models\/pocket\/base: diffusers folder, 17\.8 MB\n/);
  match(stdout, /\nstructure +Fewstep's pocket model\n/);
  match(stdout, /\nunet +4,324,356 +330 +F16 +8\.6 MB +unet\/diffusion_pytorch_model\.safetensors\n/);
  match(stdout, /\nmid_block +64 +1 +1 +288,960 +6\.7 %\n/);
  match(
    stdout,
    /\nRun it:\n {2}deno task generate --model models\/pocket\/base --recipe base --prompt "…" --out picture\.png\n$/,
  );
  const long = stdout.split("\n").filter((line) => line.length > 100 && !line.includes("deno task generate"));
  equal(long, []);
  ok(!/ \n/.test(stdout), "blanks at the end of a line");
});

Deno.test("inspect --devices: which operators on which device, and why", async () => {
  const { code, stdout } = await inspect(POCKET, "--devices");
  equal(code, 0);
  match(stdout, /\ncpu +int8 +cpu: fp32 +cpu: int8 +cpu: fp32\n/);
  match(stdout, /\nwebgpu +int8 +refused +refused +refused\n/);
  match(stdout, /\n {2}vae: in float32, as half floats overflow in it\n/);
  match(stdout, /\n {2}bf16 on cuda: its kernels are written for float32 and float16\n/);
  const long = stdout.split("\n").filter((line) => line.length > 100 && !line.includes("deno task generate"));
  equal(long, []);
});

Deno.test("inspect: every command that it advises is one that generate takes", () =>
  inFolder(async (folder) => {
    const single = join(folder, "sdxl_lightning_4step.safetensors");
    await write(single, layouts["single-original"]); // wants --tokenizer
    for (const path of [POCKET, LIGHTNING, single, "data/goldens/lora-peft.safetensors"]) {
      const { recipes } = JSON.parse((await inspect(path, "--json")).stdout);
      ok(recipes.length > 0, path);
      for (const { recipe, command } of recipes) {
        const [deno, task, name, ...argv] = command.split(" ");
        equal([deno, task, name], ["deno", "task", "generate"]);
        equal(parse(generate.options, argv).text("recipe"), recipe);
      }
    }
  }));

Deno.test("inspect --json: the whole report on stdout, and nothing else", async () => {
  const { code, stdout } = await inspect(POCKET, "--json");
  const report = JSON.parse(stdout);
  equal([code, report.inspected, report.parts.length], [0, "checkpoint", 4]);
  equal(report.parts[0].architecture.crossAttentionDim, 192);
});

Deno.test("inspect: the first of many missing tensors, with --keys all of them; exit 0, as the report was made", () =>
  inFolder(async (folder) => {
    const path = join(folder, "unet.safetensors");
    await write(path, layouts["unet-diffusers"], (tensors) => {
      for (const name of [...tensors.keys()]) if (name.endsWith(".norm3.weight")) tensors.delete(name);
    });
    const count = layouts["unet-diffusers"].filter(([name]) => name.endsWith(".norm3.weight")).length;
    const some = await inspect(path);
    equal(some.code, 0);
    match(some.stdout, new RegExp(`\\n {2}and ${count - 6} more \\(--keys\\)\\n`));
    match(some.stdout, new RegExp(`\\nFaults:\\n {2}The unet lacks ${count} tensors\\.\\n`));
    ok(!some.stdout.includes("Run it"), "a command for what cannot run");
    const all = await inspect(path, "--keys");
    equal(all.stdout.split("\n").filter((line) => /^ {2}\S+\.norm3\.weight \[\d+\]$/.test(line)).length, count);
  }));

Deno.test("inspect: 2 for a usage error, 1 for what is no checkpoint, each in one sentence", () =>
  inFolder(async (folder) => {
    const path = join(folder, "page.safetensors");
    await Deno.writeTextFile(path, "<html>not found</html>");
    const wrong = await inspect(path);
    equal([wrong.code, wrong.stdout], [1, ""]);
    match(wrong.stderr, /^Cannot open .*page\.safetensors as safetensors: [^\n]*\n$/);
    const none = await inspect();
    equal([none.code, none.stdout], [2, ""]);
    match(none.stderr, /^Missing PATH: a diffusers folder or a \.safetensors file, [^\n]*\n$/);
    const { options, positional } = inspectCommand;
    throws(
      () => parse(options, ["a", "b"], positional),
      (error) => error instanceof UsageError && error.message === 'Unexpected "b": one PATH was wanted.',
    );
    const help = await inspect("--help");
    equal(help.code, 0);
    match(help.stdout, /\nUsage: deno task inspect PATH \[options\]\n\n {2}PATH +a diffusers folder/);
  }));
