/**
 * `deno task test:mutants [--folder diffusion|weights] [--sample N] [--seed N] [--survivors keep|again]`: operators of
 * lib/diffusion and lib/weights turned round, one at a time, in a copy of the kit. A mutant that all tests pass on shows
 * what no test looks at. What is known already stands in `--state FILE`: a run that was stopped goes on where it was,
 * and `--survivors again` tries those anew, once tests were written for them.
 */

import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path";
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
    "tests/weights/disks_test.ts", "tests/weights/links_test.ts", "tests/weights/lora_test.ts",
    "tests/weights/read_test.ts", "tests/weights/opened_test.ts", "tests/model/clip_test.ts", "tests/compat/v1_test.ts",
    "tests/fuzz/found_test.ts", "tests/model/inspect", "tests/weights/layouts_test.ts", "tests/weights/dtypes_test.ts",
    "tests/weights/said_test.ts", "tests/weights/told_test.ts", "tests/model/bake_test.ts",
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

/** A mutant that was tried. */
interface Tried extends Mutant {
  /** Its line, so that a later run knows whether it is still the same. */
  readonly text: string;
  /** The test file that failed; none for a survivor. */
  readonly caughtBy?: string;
}

/** What stands in a file of an earlier run; `fallback` where there is none. */
async function kept<T>(path: string, fallback: T): Promise<T> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return fallback;
    throw error;
  }
}

async function keep(path: string, value: unknown): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, `${JSON.stringify(value, null, 1)}\n`);
}

interface TestFile {
  readonly path: string;
  /** On the code as it is. */
  readonly milliseconds: number;
}

/** A loop that a mutant makes endless counts as caught: so many times as long as on the code as it is, and a minute. */
const HANG = 10;

async function passes(folder: string, path: string, hangMs: number): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--quiet", "--fail-fast", path],
    cwd: folder,
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(hangMs),
  }).output();
  return success;
}

/** What lib/ and tests/ hold. */
async function digestOf(copy: string): Promise<string> {
  const hash = createHash("sha256");
  for (const path of [...await sources(join(copy, "lib")), ...await sources(join(copy, "tests"))]) {
    hash.update(relative(copy, path)).update(await Deno.readFile(path));
  }
  return hash.digest("hex");
}

interface Timed {
  /** Of the code and the tests that were timed: with others, all are timed anew. */
  readonly digest: string;
  readonly files: Readonly<Record<string, number>>;
}

/**
 * The tests of a folder's mutants, the quickest first.
 *
 * @param state where their times are kept from run to run
 * @throws Error where one fails without a mutant
 */
async function testFiles(copy: string, tests: readonly string[], state: string): Promise<TestFile[]> {
  const paths: string[] = [];
  for (const test of tests) {
    const all = test.endsWith(".ts") ? [join(copy, test)] : await sources(join(copy, test));
    paths.push(...all.map((path) => relative(copy, path)).filter((path) => path.endsWith("_test.ts")));
  }
  const digest = await digestOf(copy);
  const before = await kept<Timed>(state, { digest, files: {} });
  const files: Record<string, number> = before.digest === digest ? { ...before.files } : {};
  for (const path of paths) {
    if (files[path] !== undefined) continue;
    const began = performance.now();
    if (!await passes(copy, path, 3_600_000)) throw new Error(`Cannot begin: ${path} fails without a mutant.`);
    files[path] = performance.now() - began;
    await keep(state, { digest, files });
  }
  return paths.map((path) => ({ path, milliseconds: files[path] })).sort((a, b) => a.milliseconds - b.milliseconds);
}

/** The first test file that fails on a mutant: the one of the mutant's own name is asked first. */
async function catcher(copy: string, { file, at, from, to }: Mutant, tests: readonly TestFile[]) {
  const path = join(copy, file);
  const source = await Deno.readTextFile(path);
  const own = (test: TestFile) => basename(test.path) === basename(file).replace(".ts", "_test.ts");
  try {
    await Deno.writeTextFile(path, source.slice(0, at) + to + source.slice(at + from.length));
    for (const test of [...tests.filter(own), ...tests.filter((test) => !own(test))]) {
      if (!await passes(copy, test.path, 60_000 + HANG * test.milliseconds)) return test.path;
    }
    return undefined;
  } finally {
    await Deno.writeTextFile(path, source);
  }
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

/** The same `count` mutants of a folder for the same seed. */
async function sampleOf(folder: string, count: number, seed: number): Promise<{ sample: Mutant[]; of: number }> {
  const all: Mutant[] = [];
  for (const path of await sources(join(ROOT, folder))) {
    all.push(...mutantsOf(relative(ROOT, path), await Deno.readTextFile(path)));
  }
  const random = new Random(seed);
  const sample = new Set<Mutant>();
  while (sample.size < Math.min(all.length, count)) sample.add(random.pick(all));
  return { sample: [...sample], of: all.length };
}

const nameOf = ({ file, line, from, to, text }: Tried) =>
  `${file}:${line} "${from.trim()}" to "${to.trim()}": ${text.trim()}`;

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      folder: { type: "string" },
      sample: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      state: { type: "string", default: join(ROOT, ".scratch/mutants.json") },
      survivors: { type: "string", default: "keep" },
    },
  });
  const known = new Map(await kept<[string, Tried][]>(values.state, []));
  let copy: string | undefined;
  let enough = true;
  try {
    for (const [folder, tests] of Object.entries(TESTS)) {
      if (values.folder !== undefined && folder !== `lib/${values.folder}`) continue;
      const { sample, of } = await sampleOf(folder, Number(values.sample), Number(values.seed));
      const wanted: Tried[] = [];
      for (const mutant of sample) {
        const text = (await Deno.readTextFile(join(ROOT, mutant.file))).split("\n")[mutant.line - 1];
        wanted.push({ ...mutant, text });
      }
      const keyOf = ({ file, at, from, text }: Tried) => JSON.stringify([file, at, from, text]);
      const isOpen = (mutant: Tried) => {
        const before = known.get(keyOf(mutant));
        return before === undefined || (before.caughtBy === undefined && values.survivors === "again");
      };
      const open = wanted.filter(isOpen);
      console.log(`${folder}: ${sample.length} of ${of} mutants, ${open.length} of them to be tried`);
      copy ??= await copyOfKit();
      const timed = open.length > 0 ? await testFiles(copy, tests, `${values.state}.timed`) : [];
      for (const [i, mutant] of open.entries()) {
        const caughtBy = await catcher(copy, mutant, timed).catch((error) => {
          if (error instanceof Error && error.name === "TimeoutError") return "a hang";
          throw error;
        });
        known.set(keyOf(mutant), { ...mutant, caughtBy });
        await keep(values.state, [...known]);
        if (caughtBy === undefined) console.log(`survived: ${nameOf(mutant)}`);
        else if (i % 10 === 9) console.log(`${open.length - 1 - i} to go`);
      }
      const survivors = wanted.filter((mutant) => known.get(keyOf(mutant))?.caughtBy === undefined);
      const caught = wanted.length - survivors.length;
      for (const survivor of survivors) console.log(`survives: ${nameOf(survivor)}`);
      console.log(`${folder}: ${caught} of ${wanted.length} caught, ${(100 * caught / wanted.length).toFixed(0)} %.`);
      enough &&= caught >= 0.85 * wanted.length;
    }
  } finally {
    if (copy !== undefined) await Deno.remove(copy, { recursive: true });
  }
  Deno.exit(enough ? 0 : 1);
}
