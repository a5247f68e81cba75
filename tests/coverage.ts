/**
 * `deno task coverage`: the share of lib/'s lines that the tests run, in this process: what they start in others is not
 * counted. Arguments go on to `deno test`. Exit code 1 below `LEAST`.
 */

/** Percent. */
const LEAST = 90;

const folder = await Deno.makeTempDir({ prefix: "fewstep-coverage-" });
try {
  const deno = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args,
      env: { MALLOC_MMAP_THRESHOLD_: "65536", NO_COLOR: "1" },
      stderr: "inherit",
    });
  const { success } = await deno("test", "-A", "--no-check", "--quiet", `--coverage=${folder}`, ...Deno.args).output();
  const { stdout } = await deno("coverage", "--include=/lib/", "--exclude=onnx_pb", folder).output();
  const table = new TextDecoder().decode(stdout);
  console.log(table);
  const columns = table.split("\n").find((line) => line.includes("All files"))?.split("|").map((cell) => cell.trim()) ??
    [];
  const heads = table.split("\n").find((line) => line.includes("Line %"))?.split("|").map((cell) => cell.trim()) ?? [];
  const lines = Number(columns[heads.indexOf("Line %")]);
  console.log(`${lines} % of lib's lines, ${LEAST} % wanted; tests ${success ? "passed" : "failed"}.`);
  Deno.exit(success && lines >= LEAST ? 0 : 1);
} finally {
  await Deno.remove(folder, { recursive: true });
}
