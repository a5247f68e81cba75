/**
 * `deno task coverage`: the share of lib/'s lines that the tests run, in their processes: what they start in others is not
 * counted. One test file after the other; a run that was stopped goes on with the next and with those that failed, unless
 * lib/ has changed since.
 * Exit code 1 below `LEAST`, or where a test failed.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { ensurePython } from "./notebooks/python.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const FOLDER = join(ROOT, ".scratch/coverage");
const [PROFILES, STATE] = [join(FOLDER, "profiles"), join(FOLDER, "state.json")];

/** Percent. */
const LEAST = 90;

interface State {
  /** Of lib/, whose lines the profiles count. */
  readonly lib: string;
  /** By test file: whether it passed. */
  readonly passed: Readonly<Record<string, boolean>>;
}

async function filesIn(folder: string, ending: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesIn(path, ending));
    else if (name.endsWith(ending)) found.push(path);
  }
  return found.sort();
}

async function digestOf(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(path).update(await Deno.readFile(join(ROOT, path)));
  return hash.digest("hex");
}

/** What was done before; nothing where lib/ is another by now. */
async function stateOf(lib: string): Promise<State> {
  try {
    const state: State = JSON.parse(await Deno.readTextFile(STATE));
    if (state.lib === lib) return state;
    console.log("lib/ has changed: all tests run anew.");
    await Deno.remove(FOLDER, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return { lib, passed: {} };
}

const deno = (...args: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { MALLOC_MMAP_THRESHOLD_: "65536", NO_COLOR: "1" },
    stderr: "inherit",
  });

const tests = await filesIn("tests", "_test.ts");
let state = await stateOf(await digestOf(await filesIn("lib", ".ts")));
const open = tests.filter((path) => !state.passed[path]);
/** A folder for each test file: Deno empties the one that it is given. */
const profilesOf = (path: string) => join(PROFILES, path.replaceAll("/", "_"));
console.log(`${tests.length} test files, ${open.length} of them to run.`);
await ensurePython();
await Deno.mkdir(PROFILES, { recursive: true });
for (const [i, path] of open.entries()) {
  const began = performance.now();
  const run = deno("test", "-A", "--no-check", "--quiet", `--coverage=${profilesOf(path)}`, path);
  const { success, stdout } = await run.output();
  if (!success) console.log(new TextDecoder().decode(stdout));
  state = { ...state, passed: { ...state.passed, [path]: success } };
  await Deno.writeTextFile(STATE, JSON.stringify(state, null, 1));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`${i + 1} of ${open.length}: ${path} ${success ? "passed" : "failed"}, ${seconds} s`);
}
const { stdout } = await deno("coverage", "--include=/lib/", "--exclude=onnx_pb", ...tests.map(profilesOf)).output();
const table = new TextDecoder().decode(stdout);
console.log(table);
const cells = (mark: string) =>
  table.split("\n").find((line) => line.includes(mark))?.split("|").map((cell) => cell.trim()) ?? [];
const lines = Number(cells("All files")[cells("Line %").indexOf("Line %")]);
const failed = tests.filter((path) => state.passed[path] === false);
console.log(`${lines} % of lib's lines, ${LEAST} % wanted; ${failed.length} test files failed. ${failed.join(" ")}`);
Deno.exit(failed.length === 0 && lines >= LEAST ? 0 : 1);
