/**
 * `deno task test:mutants [--sample N] [--seed N] [--out FILE]`: operators of lib/diffusion and lib/weights turned round,
 * one at a time, in a copy of the kit. A mutant that all tests pass on shows what no test looks at.
 */

import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { copyFolder } from "../files.ts";
import { Random } from "../fuzz/random.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Operators as `deno fmt` writes them, and what each becomes. */
const TURNED: readonly (readonly [string, string])[] = [
  [" < ", " <= "],
  [" <= ", " < "],
  [" > ", " >= "],
  [" >= ", " > "],
  [" === ", " !== "],
  [" !== ", " === "],
  [" + ", " - "],
  [" - ", " + "],
  [" * ", " / "],
  [" / ", " * "],
  [" && ", " || "],
  [" || ", " && "],
  ["Math.min(", "Math.max("],
  ["Math.max(", "Math.min("],
  [" ?? ", " && "],
]; // deno-fmt-ignore

/**
 * What must catch a mutant of a folder: the tests that take seconds. Those that run whole networks catch more, and would
 * take days for all mutants.
 */
const TESTS = {
  "lib/diffusion": ["tests/diffusion"],
  "lib/weights": [
    "tests/weights/safetensors_test.ts", "tests/weights/strangers_test.ts", "tests/weights/folder_test.ts",
    "tests/weights/quantize_test.ts", "tests/weights/diffusers_config_test.ts", "tests/weights/remembered_test.ts",
    "tests/weights/disks_test.ts", "tests/weights/links_test.ts", "tests/compat/v1_test.ts", "tests/fuzz/found_test.ts",
    "tests/model/inspect",
  ],
} as const; // deno-fmt-ignore

export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

/** The source with comments, strings and template texts blanked: the places stay where they are. */
export function bare(source: string): string {
  const blank = (text: string) => text.replaceAll(/[^\n]/g, "\0");
  return source.replaceAll(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|\/(?![*/ ])(?:[^/\\\n]|\\.)+\/[a-z]*(?=[.,)\];])/g,
    blank,
  );
}

export function mutantsOf(file: string, source: string): Mutant[] {
  const code = bare(source);
  const found: Mutant[] = [];
  for (const [from, to] of TURNED) {
    for (let at = code.indexOf(from); at >= 0; at = code.indexOf(from, at + 1)) {
      found.push({ file, at, from, to, line: code.slice(0, at).split("\n").length });
    }
  }
  return found;
}

async function sources(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...await sources(join(folder, name)));
    else if (name.endsWith(".ts")) found.push(join(folder, name));
  }
  return found.sort();
}

/** Milliseconds: a loop that a mutant makes endless counts as caught. */
const HANG_MS = 300_000;

async function passes(folder: string, tests: readonly string[]): Promise<boolean> {
  const signal = AbortSignal.timeout(HANG_MS);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--quiet", "--fail-fast", ...tests],
    cwd: folder,
    stdout: "null",
    stderr: "null",
    signal,
  }).output();
  return success;
}

async function copyOfKit(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-mutants-" });
  for (const name of ["lib", "tests"]) await copyFolder(join(ROOT, name), join(folder, name));
  for (const name of ["data", "models", "node_modules", "docs"]) {
    await Deno.symlink(join(ROOT, name), join(folder, name));
  }
  for (const name of ["deno.json", "deno.lock"]) await Deno.copyFile(join(ROOT, name), join(folder, name));
  return folder;
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      sample: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      out: { type: "string" },
    },
  });
  const copy = await copyOfKit();
  const survivors: string[] = [];
  let [tried, caught] = [0, 0];
  try {
    for (const [folder, tests] of Object.entries(TESTS)) {
      const all: Mutant[] = [];
      for (const path of await sources(join(ROOT, folder))) {
        all.push(...mutantsOf(relative(ROOT, path), await Deno.readTextFile(path)));
      }
      const random = new Random(Number(values.seed));
      const sample = new Set<Mutant>();
      while (sample.size < Math.min(all.length, Number(values.sample))) sample.add(random.pick(all));
      console.log(`${folder}: ${sample.size} of ${all.length} mutants`);
      if (!await passes(copy, tests)) throw new Error(`Cannot begin: ${tests.join(", ")} fail without a mutant.`);
      for (const mutant of sample) {
        const { file, line, at, from, to } = mutant;
        const path = join(copy, file);
        const source = await Deno.readTextFile(path);
        await Deno.writeTextFile(path, source.slice(0, at) + to + source.slice(at + from.length));
        const survives = await passes(copy, tests).catch(() => false);
        await Deno.writeTextFile(path, source);
        tried++;
        if (!survives) caught++;
        else {survivors.push(
            `${file}:${line} "${from.trim()}" to "${to.trim()}": ${source.split("\n")[line - 1].trim()}`,
          );}
        if (survives) console.log(`survived: ${survivors.at(-1)}`);
        const report = `${caught} of ${tried} caught (${(100 * caught / tried).toFixed(0)} %), seed ${values.seed}\n${
          survivors.join("\n")
        }\n`;
        if (values.out !== undefined) await Deno.writeTextFile(values.out, report);
      }
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
  console.log(`${caught} of ${tried} mutants caught, ${(100 * caught / tried).toFixed(0)} %.`);
  Deno.exit(caught >= 0.85 * tried ? 0 : 1);
}
