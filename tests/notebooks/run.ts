/**
 * `deno task notebooks [FILE…]`: executes the notebooks from top to bottom and keeps their outputs in them.
 * To be run, and looked at, before a notebook is committed.
 */

import { notebookPaths } from "./cells.ts";
import { execute, faults, formatted } from "./execute.ts";
import { ensurePython } from "./python.ts";

await ensurePython();
let failed = false;
for (const path of Deno.args.length > 0 ? Deno.args : await notebookPaths()) {
  console.log(path);
  const { notebook, json } = await execute(path);
  const found = faults(notebook, path);
  if (found.length > 0) {
    console.error(found.join("\n"));
    failed = true;
    continue;
  }
  await Deno.writeTextFile(path, await formatted(json));
}
Deno.exit(failed ? 1 : 0);
