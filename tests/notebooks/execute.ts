/** Runs notebooks headless, on a kernel of this very Deno, whatever kernels the machine has. */

import { dirname, resolve } from "node:path";
import { type Cell, type Notebook, parseNotebook } from "./cells.ts";
import { writeKernel } from "./kernel.ts";
import { python } from "./python.ts";

/** Bytes of one cell's outputs: what a notebook should stay far below, and a page shows at once. */
const cellLimit = 4_000_000;

/** Executes a notebook as JupyterLab would, in the notebook's own folder, and returns it with its outputs. */
export async function execute(path: string): Promise<{ notebook: Notebook; json: string }> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-" });
  try {
    await writeKernel(folder, "fewstep");
    const result = `${folder}/result.ipynb`;
    const { success, stdout, stderr } = await new Deno.Command(python, {
      args: ["tests/notebooks/execute.py", path, result, "fewstep", resolve(dirname(path))],
      env: { JUPYTER_PATH: folder, PYDEVD_DISABLE_FILE_VALIDATION: "1" },
    }).output();
    if (!success) {
      throw new Error(
        `Cannot execute ${path}:\n${new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)}`,
      );
    }
    const json = await Deno.readTextFile(result);
    return { notebook: parseNotebook(json, path), json };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether a cell's code displays something, so that an empty output is a loss. */
const shows = ({ source }: Cell) => /\bawait show\(|\bconsole\.log\(/.test(source);

/** What is wrong with an executed notebook's outputs, a sentence each; none is good. */
export function faults(notebook: Notebook, path: string): string[] {
  const found: string[] = [];
  const home = Deno.env.get("HOME");
  const folders = [Deno.cwd(), ...home !== undefined && home.length > 1 ? [home] : []];
  notebook.cells.forEach((cell, index) => {
    if (cell.cell_type !== "code") return;
    const where = `${path}, cell ${index + 1}`;
    const outputs = cell.outputs ?? [];
    const text = JSON.stringify(outputs);
    for (const { output_type, ...rest } of outputs) {
      if (output_type === "error") found.push(`${where} raised: ${JSON.stringify(rest)}`);
      if (output_type === "execute_result") {
        found.push(`${where} relies on its last expression: await show(x) instead.`);
      }
    }
    if (shows(cell) && outputs.length === 0) found.push(`${where} should show something and shows nothing.`);
    if (text.length > cellLimit) found.push(`${where} has ${text.length} bytes of outputs, more than ${cellLimit}.`);
    for (const folder of folders) {
      if (text.includes(folder)) found.push(`${where} names a folder of this machine: ${folder}.`);
    }
    for (const output of outputs) {
      const isImage = Object.keys(output.data ?? {}).some((type) => type.startsWith("image/"));
      const alt = output.data?.["text/plain"];
      if (isImage && (alt === undefined || String(alt).trim() === "")) {
        found.push(`${where} shows a picture without words.`);
      }
    }
  });
  return found;
}

/**
 * A notebook's JSON with its code as `deno fmt` wants it. Through stdin: of notebooks as files, `deno fmt --check` says
 * that they are not formatted whatever they hold, which is why deno.json leaves them out.
 */
export async function formatted(json: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=ipynb", "-"],
    stdin: "piped",
    stdout: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(json));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("Cannot format the notebook: the lines above say why.");
  return new TextDecoder().decode(stdout);
}
