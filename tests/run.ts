/**
 * `deno task test`: everything that must hold before a commit, from a bare clone.
 *
 * Type check (notebook cells too), formatting, lint, then every test; the last line is
 * `N passed, N failed` and the exit code says the same. Arguments go on to `deno test`,
 * for example `deno task test tests/view --filter strip`.
 */

import { checkAll } from "./check.ts";
import { countJunit, type Counts, summary } from "./junit.ts";
import { ensurePython } from "./notebooks/python.ts";

/** glibc keeps what a session frees unless it is told, before the process starts, to map large blocks. */
const environment = { MALLOC_MMAP_THRESHOLD_: "65536" };

async function deno(...args: string[]): Promise<boolean> {
  const { success, signal } = await new Deno.Command(Deno.execPath(), { args, env: environment }).spawn().status;
  if (signal !== null) console.log(`\ndeno ${args[0]} was ended by ${signal}`);
  return success;
}

/** One of the fixed checks; it counts as one test. */
async function check(what: string, run: () => Promise<boolean>): Promise<Counts> {
  console.log(`\n── ${what}`);
  const ok = await run();
  if (!ok) console.log(`${what}: failed`);
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

async function tests(args: readonly string[]): Promise<Counts> {
  console.log("\n── tests");
  const report = await Deno.makeTempFile({ prefix: "fewstep-", suffix: ".xml" });
  try {
    const ok = await deno("test", "-A", "--no-check", `--junit-path=${report}`, ...args);
    return countJunit(await Deno.readTextFile(report), ok);
  } finally {
    await Deno.remove(report);
  }
}

async function main(): Promise<number> {
  const began = performance.now();
  console.log("── packages (npm, pinned in deno.json and deno.lock)");
  if (!await deno("install", "--frozen")) {
    console.error("Cannot install the npm packages of deno.json: see the lines above; is the registry in reach?");
    return 1;
  }
  console.log("\n── Python for the notebooks (.venv, pinned in tests/notebooks/requirements.txt)");
  await ensurePython();

  const parts = [
    await check("type check, notebook cells included", checkAll),
    await check("formatting", () => deno("fmt", "--check")),
    await check("lint", () => deno("lint")),
    await tests(Deno.args),
  ];
  console.log(`\n${Math.round((performance.now() - began) / 1000)} s`);
  const total = parts.reduce((sum, part) => ({
    passed: sum.passed + part.passed,
    failed: sum.failed + part.failed,
    skipped: sum.skipped + part.skipped,
  }));
  console.log(summary(total));
  return total.failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
