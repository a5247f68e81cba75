/**
 * `deno task check`: every module of the kit, the examples of README and docs, and every notebook's code cells, type-checked.
 * Deno checks neither notebooks nor their types when it runs them, so the cells are written out as a module first.
 */

import { extractCells, type Extracted, nameCells, notebookPaths, parseNotebook } from "./notebooks/cells.ts";

const folder = "tests/notebooks/.cells"; // in the tree, so that the import map counts; git ignores it

async function denoCheck(paths: readonly string[]): Promise<{ ok: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", ...paths],
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { ok: success, text: (decode(stdout) + decode(stderr)).trim() };
}

/** Whether everything type-checks; what does not is printed, notebook errors with their cell. */
export async function checkAll(): Promise<boolean> {
  const modules = await denoCheck(["."]);
  if (!modules.ok) console.error(modules.text);

  const pages = [...Deno.readDirSync("docs")].map(({ name }) => `docs/${name}`).filter((path) => path.endsWith(".md"));
  const examples = await denoCheck(["--doc-only", "README.md", ...pages.sort()]);
  if (!examples.ok) console.error(examples.text);

  const cells = await checkNotebooks(await notebookPaths());
  if (!cells.ok) console.error(cells.text);
  return modules.ok && examples.ok && cells.ok;
}

/** Type-checks the code cells of notebooks. The text names notebook, cell and line of each error. */
export async function checkNotebooks(paths: readonly string[]): Promise<{ ok: boolean; text: string }> {
  await Deno.mkdir(folder, { recursive: true });
  const written: { file: string; notebook: string; extracted: Extracted }[] = [];
  for (const [index, notebook] of paths.entries()) {
    const extracted = extractCells(parseNotebook(await Deno.readTextFile(notebook), notebook));
    const file = `${folder}/notebook-${index}-${crypto.randomUUID()}.ts`;
    await Deno.writeTextFile(file, extracted.source);
    written.push({ file, notebook, extracted });
  }
  if (written.length === 0) return { ok: true, text: "" };
  try {
    const { ok, text } = await denoCheck(written.map(({ file }) => file));
    const named = written.reduce(
      (sum, { file, notebook, extracted }) => nameCells(sum, file, notebook, extracted),
      text,
    );
    return { ok, text: named };
  } finally {
    for (const { file } of written) await Deno.remove(file);
  }
}

if (import.meta.main) Deno.exit(await checkAll() ? 0 : 1);
