import { equal, match, ok, throws } from "node:assert/strict";
import { checkNotebooks } from "../check.ts";
import { extractCells, nameCells, notebookPaths, parseNotebook } from "./cells.ts";

const code = (...lines: string[]) => ({ cell_type: "code", source: lines.map((line) => line + "\n"), outputs: [] });
const notebook = (...cells: unknown[]) => JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });

Deno.test("cells become one module, and its lines lead back to their cells", () => {
  const extracted = extractCells(parseNotebook(
    notebook({ cell_type: "markdown", source: "# Title" }, code("const a = 1;", "const b = 2;"), code("a + b;")),
    "x.ipynb",
  ));
  ok(extracted.source.startsWith("const a = 1;\nconst b = 2;\n"));
  const line = extracted.source.split("\n").indexOf("a + b;") + 1;
  equal(
    nameCells(`error at file:///somewhere/y.ts:${line}:5 here`, ".work/y.ts", "x.ipynb", extracted),
    "error at x.ipynb, cell 3, line 1:5 here",
  );
});

Deno.test("a type error in a cell is found, and named by notebook, cell and line", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/wrong.ipynb`;
  await Deno.writeTextFile(
    path,
    notebook(code("const a = 1;"), code("", 'const b: number = "one";', "console.log(a, b);")),
  );
  const { ok: passed, text } = await checkNotebooks([path]);
  await Deno.remove(folder, { recursive: true });
  equal(passed, false);
  match(text, /wrong\.ipynb, cell 2, line 2/);
  match(text, /not assignable to type 'number'/);
});

Deno.test("an import that does not exist is a type error: the kernel would give undefined", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/typo.ipynb`;
  await Deno.writeTextFile(
    path,
    notebook(code('import { formatShap } from "fewstep/tensor/tensor.ts";', "formatShap([1]);")),
  );
  const { ok: passed, text } = await checkNotebooks([path]);
  await Deno.remove(folder, { recursive: true });
  equal(passed, false);
  match(text, /formatShap/);
});

Deno.test("what is no notebook is refused by name", () => {
  throws(() => parseNotebook('{"nbformat": 3, "cells": []}', "old.ipynb"), /Cannot read old\.ipynb as a notebook/);
});

Deno.test("the kit's notebooks import through the import map, never by a path", async () => {
  for (const path of await notebookPaths()) {
    const { source } = extractCells(parseNotebook(await Deno.readTextFile(path), path));
    ok(
      !/(from|import\()\s*["']\.{1,2}\//.test(source),
      `${path} imports by a relative path, which depends on the kernel's folder`,
    );
  }
});
