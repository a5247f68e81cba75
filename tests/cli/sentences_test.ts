/**
 * What a user gets to read, in one table: the input, the sentence, the exit code. FEWSTEP_SENTENCES=write writes the
 * table anew from `inputs`; read its difference before it is committed.
 */

import { articleCommand } from "../../lib/cli/article.ts";
import { bakeCommand } from "../../lib/cli/bake.ts";
import { compareCommand } from "../../lib/cli/compare.ts";
import { demo } from "../../lib/cli/demo.ts";
import { diffCommand } from "../../lib/cli/diff.ts";
import { generate } from "../../lib/cli/generate.ts";
import { inspectCommand } from "../../lib/cli/inspect.ts";
import { pull } from "../../lib/cli/pull.ts";
import { reproduceCommand } from "../../lib/cli/reproduce.ts";
import { sweepCommand } from "../../lib/cli/sweep.ts";
import { workerCommand } from "../../lib/cli/worker.ts";
import { type Command, runCommand } from "../../lib/cli/args.ts";
import { join } from "node:path";
import { equal, ok } from "../assert.ts";
import { copyFolder, editJson, inFolder, writeRaw } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { inputs } from "./sentences.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  generate,
  inspect: inspectCommand,
  bake: bakeCommand,
  compare: compareCommand,
  diff: diffCommand,
  pull,
  reproduce: reproduceCommand,
  sweep: sweepCommand,
  worker: workerCommand,
  article: articleCommand,
  demo,
};

const TABLE = new URL("./sentences.json", import.meta.url);
const COMPAT = new URL("../../data/compat/v1/", import.meta.url).pathname;

interface Row {
  readonly input: string;
  readonly sentence: string;
  readonly exit: number;
}

/** Files that are wrong, each in one way. */
async function prepare(folder: string): Promise<void> {
  const at = (name: string) => join(folder, name);
  await copyFolder(goldenPath("tiny-deep"), at("model"));
  for (const name of ["bad-config", "bad-index", "no-weights", "no-vae", "bad-tokenizer", "lying"]) {
    await copyFolder(at("model"), at(name));
  }
  await Deno.writeTextFile(at("bad-config/unet/config.json"), "{");
  await editJson(at("bad-index/model_index.json"), { _class_name: "FluxPipeline" });
  await Deno.remove(at("no-weights/unet/diffusion_pytorch_model.safetensors"));
  await Deno.remove(at("no-vae/vae"), { recursive: true });
  await Deno.writeTextFile(at("bad-tokenizer/tokenizer/vocab.json"), '{"a":-1}');
  await editJson(at("lying/unet/config.json"), { block_out_channels: [32, 96] });
  await Deno.writeTextFile(at("text.safetensors"), "this is no safetensors file");
  await Deno.writeFile(
    at("cut.safetensors"),
    (await Deno.readFile(goldenPath("lora-peft.safetensors"))).slice(0, 200_000),
  );
  await Deno.copyFile(goldenPath("lora-peft.safetensors"), at("lora.safetensors"));
  await writeRaw(at("strange.safetensors"), '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4);
  await writeRaw(at("dora.safetensors"), '{"unet.a.dora_scale":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4);
  await Deno.writeTextFile(at("text.png"), "no picture");
  await Deno.copyFile(join(COMPAT, "export.png"), at("export.png"));
  await Deno.copyFile(join(COMPAT, "record.safetensors"), at("record.safetensors"));
  await Deno.writeTextFile(at("list.json"), "[]");
  await Deno.writeTextFile(at("wrong.json"), '{"models":[{"name":"a"}],"prompts":["a"]}');
  await Deno.writeTextFile(at("empty.txt"), "\n");
  await Deno.mkdir(at("foreign"));
  await Deno.writeTextFile(at("foreign/store.sqlite"), "this is no database, and long enough to be told from one");
}

async function rowsOf(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  const signal = new AbortController().signal;
  for (const input of inputs) {
    const [name, ...argv] = input;
    const said: string[] = [];
    const print = console.log;
    console.log = () => {}; // what a command prints that works is not looked at here
    try {
      const here = argv.map((arg) => arg.replaceAll("FOLDER", folder));
      const exit = await runCommand(COMMANDS[name], here, { signal, say: (sentence) => void said.push(sentence) });
      rows.push({
        input: input.map((arg) => /^[\w./:=,@%-]+$/.test(arg) ? arg : `'${arg}'`).join(" "),
        sentence: said.join("\n").replaceAll(folder, "FOLDER"),
        exit,
      });
    } finally {
      console.log = print;
    }
  }
  return rows;
}

Deno.test("every mistake on a command line: the sentence and the exit code of the table", () =>
  inFolder(async (folder) => {
    const cache = Deno.env.get("HF_HUB_CACHE");
    Deno.env.set("HF_HUB_CACHE", join(folder, "hub"));
    try {
      await prepare(folder);
      const rows = await rowsOf(folder);
      if (Deno.env.get("FEWSTEP_SENTENCES") === "write") {
        await Deno.writeTextFile(TABLE, `[\n${rows.map((row) => ` ${JSON.stringify(row)}`).join(",\n")}\n]\n`);
      }
      const table: readonly Row[] = JSON.parse(await Deno.readTextFile(TABLE));
      for (const [i, row] of rows.entries()) equal(row, table[i]);
      equal(rows.length, table.length);
      for (const { input, sentence, exit } of rows) {
        ok(exit === 1 || exit === 2, `${input} ends with ${exit}`);
        ok(/^[^\n]*[.?]$/.test(sentence), `${input} is told "${sentence}"`);
      }
    } finally {
      if (cache === undefined) Deno.env.delete("HF_HUB_CACHE");
      else Deno.env.set("HF_HUB_CACHE", cache);
    }
  }));
