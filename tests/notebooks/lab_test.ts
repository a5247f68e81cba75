/**
 * Notebooks in a real JupyterLab, in headless Chromium: Run All, what stands under which cell, pictures, sliders, Stop.
 * The kit's own notebooks take minutes: `deno task test:lab` runs them too; FEWSTEP_LAB=06 takes those with 06 in their path.
 * FEWSTEP_SCREENSHOTS=FOLDER keeps a picture of each notebook as it was seen.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { basename } from "node:path";
import { haveChromium } from "../view/browser.ts";
import { notebookPaths, parseNotebook } from "./cells.ts";
import { faults } from "./execute.ts";
import { type Lab, type NotebookPage, type SeenCell, withLab } from "./lab_browser.ts";

const which = Deno.env.get("FEWSTEP_LAB"); // a part of their paths: which of the kit's notebooks are run
const screenshots = Deno.env.get("FEWSTEP_SCREENSHOTS");

if (!haveChromium) console.log("skipped: JupyterLab in a browser; no Chromium is here (FEWSTEP_CHROMIUM names it)");
if (which === undefined) console.log("skipped: the kit's notebooks in JupyterLab; deno task test:lab runs them");

const code = (source: string, index: number) => ({
  cell_type: "code",
  id: `cell-${index}`,
  source,
  metadata: {},
  outputs: [],
  execution_count: null,
});

/** Puts a notebook into a folder of the project, opens it, and takes the folder away again. */
async function opened(lab: Lab, name: string, json: string, look: (page: NotebookPage) => Promise<void>) {
  const folder = await Deno.makeTempDir({ dir: "notebooks", prefix: ".test-" });
  try {
    await Deno.writeTextFile(`${folder}/${name}`, json);
    const notebook = await lab.open(`notebooks/${basename(folder)}/${name}`);
    try {
      await look(notebook);
    } finally {
      if (screenshots !== undefined) await notebook.screenshot(`${screenshots}/${basename(name, ".ipynb")}.png`);
      await notebook.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const metadata = { kernelspec: { name: "deno", display_name: "Deno", language: "typescript" } };

/** Pictures that the page could not draw. */
const broken = (cells: readonly SeenCell[]) =>
  cells.flatMap(({ pictures }) => pictures).filter(({ width }) => width === 0);

Deno.test({
  name:
    "in JupyterLab, Run All puts every output under its own cell; pictures show, a slider moves, Stop keeps the state",
  ignore: !haveChromium,
  fn: () =>
    withLab(async (lab) => {
      const many = 16;
      const sources = [
        'import { open, show, slider, Tensor, withProgress } from "fewstep";\n' +
        'const model = await open("models/pocket/base");\n' +
        "const grey = (value: number) => Tensor.zeros([1, 3, 64, 64]).map(() => value);",
        ...Array.from({ length: many }, (_, index) =>
          `await show("number ${index}"); await show(grey(${index / many}));`),
        'await show(slider([grey(0), grey(0.5), grey(1)], { labels: ["black", "grey", "white"], name: "light" }));',
        "for await (const step of withProgress(model.steps({ prompt: 'owl', steps: 1000 }))) void step;",
      ];
      const goOn = "const { value } = await model.steps(model.stopped).next();\n" +
        "await show(`from ${model.stopped.index} to ${value.index}`);";
      const json = JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells: [...sources, goOn].map(code) });
      await opened(lab, "short.ipynb", json, async (notebook) => {
        await notebook.runAll();
        await notebook.sees(sources.length - 1, /[1-9]\d*\/1000/); // the long run is under way
        await notebook.stop();
        await notebook.sees(sources.length - 1, /Stopped between two steps/);
        await notebook.runCell(sources.length);
        await notebook.sees(sources.length, /from \d+ to \d+/);

        const cells = await notebook.cells();
        deepEqual(broken(cells), []);
        const numbered = cells.slice(1, 1 + many);
        deepEqual(
          numbered.map(({ saved }) =>
            String(saved[0]?.data?.["text/plain"])
          ),
          [
            ...Array.from({ length: many }, (_, index) => `number ${index}`),
          ],
        );
        deepEqual(numbered.map(({ saved, pictures }) => [saved.length, pictures.length]), numbered.map(() => [2, 1]));
        ok(numbered.every(({ pictures: [picture] }) => picture.shown > 60), "pictures are drawn at their size");
        const [, from, to] = /from (\d+) to (\d+)/.exec(cells[sources.length].words) ?? [];
        equal(Number(to), Number(from) + 1);

        deepEqual(await notebook.moveSliders(), [["white", "grey"]]);
        equal(await notebook.page.locator("figure output").textContent(), "grey");
      });
    }),
});

/** A bar of progress, as it ended. How many there are depends on what a comparison finds in its store. */
const isProgress = (data: Readonly<Record<string, unknown>>) => / \d+\/\d+ · /.test(String(data["text/plain"]));

/** What a cell shows, as a list of kinds: placed rightly when it is the same as without a browser. */
const kinds = (outputs: readonly { readonly data?: Readonly<Record<string, unknown>> }[]) =>
  outputs.flatMap(({ data = {} }) => isProgress(data) ? [] : [Object.keys(data).sort().join(" ")]);

Deno.test({
  name: "in JupyterLab, Run All gives the kit's notebooks the outputs that they have without a browser",
  ignore: !haveChromium || which === undefined,
  fn: async (t) => {
    const paths = (await notebookPaths()).filter((path) => path.includes(which ?? ""));
    ok(paths.length > 0, `no notebook's path has ${which} in it`);
    await withLab(async (lab) => {
      for (const path of paths) {
        await t.step(path, async () => {
          const json = await Deno.readTextFile(path);
          await opened(lab, basename(path), json, async (notebook) => {
            await notebook.runAll();
            await notebook.ended(15 * 60_000);
            const cells = await notebook.cells();
            deepEqual(broken(cells), []);
            const book = parseNotebook(json, path);
            const codes = book.cells.filter(({ cell_type }) => cell_type === "code");
            const executed = { ...book, cells: codes.map((cell, index) => ({ ...cell, outputs: cells[index].saved })) };
            deepEqual(faults(executed, path), []);
            if (codes.every(({ outputs = [] }) => outputs.length === 0)) return; // committed without outputs
            deepEqual(cells.map(({ saved }) => kinds(saved)), codes.map(({ outputs = [] }) => kinds(outputs)));
            for (const [before, after] of await notebook.moveSliders()) ok(before !== after, `${before} did not move`);
          });
        });
      }
    });
  },
});
