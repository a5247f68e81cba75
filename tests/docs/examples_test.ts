/**
 * Every TypeScript example of README, docs and docstrings is run; their types are checked by `deno task check`. Every
 * command that a page tells is read by the command's own options.
 */

import { deepEqual, equal, fail } from "node:assert/strict";
import { resolve } from "node:path";
import { type Command, parse } from "../../lib/cli/args.ts";
import { commandsIn, type Example, examplesIn } from "./fences.ts";

const root = Deno.cwd();
const pages = ["README.md", ...[...Deno.readDirSync("docs")].map(({ name }) => `docs/${name}`)]
  .filter((path) => path.endsWith(".md")).sort();

function modulesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? modulesIn(`${folder}/${name}`) : name.endsWith(".ts") ? [`${folder}/${name}`] : []
  );
}

/** What cannot run here, by a word of the example, with the reason. */
const cannotRun: readonly (readonly [word: string, why: string])[] = [
  ["pull(", "it downloads"],
  ["redis", "it wants a Redis"],
];

/** One folder for all, as examples share what they compare: what one has drawn the next takes from the store. */
const folder = await Deno.makeTempDir({ prefix: "fewstep-examples-" });
for (const name of ["models", "data"]) await Deno.symlink(resolve(name), `${folder}/${name}`);

const examples = [...pages, ...modulesIn("lib").sort()]
  .flatMap((path) => examplesIn(path, Deno.readTextFileSync(path), "ts"));

for (const [index, example] of examples.entries()) {
  const why = cannotRun.find(([word]) => example.code.includes(word))?.[1];
  Deno.test({
    name: `${example.where}: the example runs${why === undefined ? "" : ` (not here: ${why})`}`,
    ignore: why !== undefined,
    fn: () => run(index, example),
  });
}

async function run(index: number, { code, where }: Example): Promise<void> {
  const path = `${folder}/example-${index}.ts`;
  await Deno.writeTextFile(path, code);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", "--config", `${root}/deno.json`, path],
    cwd: folder,
    env: { MALLOC_MMAP_THRESHOLD_: "65536", NO_COLOR: "1" },
  }).output();
  if (!success) fail(`${where}: ${new TextDecoder().decode(stderr)}`);
}

Deno.test("every command that a page tells is a task, and takes these options", async () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync("deno.json"));
  let read = 0;
  for (const page of pages) {
    for (const [name, ...args] of commandsIn(Deno.readTextFileSync(page))) {
      const task = Object.hasOwn(tasks, name) ? String(tasks[name].command) : fail(`${page}: there is no task ${name}`);
      const [, file] = /\b(lib\/cli\/\w+\.ts)/.exec(task) ?? [];
      if (file === undefined) continue;
      const module: Record<string, unknown> = await import(`../../${file}`);
      const command = Object.values(module).find(isCommand);
      if (command === undefined) fail(`${file} exports no command`);
      try {
        parse({ ...command.options, help: { about: "" } }, args, command.positional);
      } catch (error) {
        fail(`${page}: ${[name, ...args].join(" ")}: ${error instanceof Error ? error.message : error}`);
      }
      read++;
    }
  }
  equal(read > 20, true, `${read} commands were read`);
});

function isCommand(value: unknown): value is Command {
  return typeof value === "object" && value !== null && "options" in value && "run" in value;
}

Deno.test("commands are read as a shell reads them", () => {
  const page =
    '```\nnpx -y deno@2.9.6 task demo   # a picture\ndeno task generate --prompt "a b" \\\n  --seed 1\n```\n`deno task x --y`';
  deepEqual(commandsIn(page), [["demo"], ["generate", "--prompt", "a b", "--seed", "1"], ["x", "--y"]]);
});

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
