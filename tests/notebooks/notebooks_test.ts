import { deepEqual, equal, match, ok } from "node:assert/strict";
import { notebookPaths, parseNotebook } from "./cells.ts";
import { execute, faults, formatted } from "./execute.ts";

const code = (source: string) => ({
  cell_type: "code",
  id: source.length.toString(),
  source,
  metadata: {},
  outputs: [],
  execution_count: null,
});

async function executed(...sources: string[]) {
  const folder = await Deno.makeTempDir({ dir: "notebooks", prefix: ".test-" });
  try {
    const path = `${folder}/test.ipynb`;
    const cells = sources.map(code);
    await Deno.writeTextFile(path, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }));
    return (await execute(path)).notebook;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const path of await notebookPaths()) {
  Deno.test(`${path} runs from top to bottom, shows what it should, and names no machine`, async () => {
    const { notebook } = await execute(path);
    deepEqual(faults(notebook, path), []);
  });

  Deno.test(`${path} is committed with its outputs, formatted`, async () => {
    const json = await Deno.readTextFile(path);
    deepEqual(faults(parseNotebook(json, path), path), []);
    ok(await formatted(json) === json, `${path} is not formatted: deno task notebooks ${path}`);
  });
}

Deno.test("a cell that raises, one that shows nothing, and a last expression are faults", async () => {
  const notebook = await executed(
    "throw new Error('on purpose');",
    "if (false) console.log('never');",
    "1 + 1",
    "const fine = 1;",
  );
  const found = faults(notebook, "test.ipynb").map((fault) => fault.slice(0, 60));
  match(found[0], /^test\.ipynb, cell 1 raised/);
  match(found[1], /^test\.ipynb, cell 2 should show something/);
  // The kernel itself loses some last expressions: that is why they are a fault where they arrive.
  for (const fault of found.slice(2)) match(fault, /^test\.ipynb, cell 3 relies on its last/);
});

Deno.test("show displays pictures, tables, text and live progress; nothing is lost and paths start at the project", async () => {
  const notebook = await executed(
    'import { progress, show, strip, Tensor } from "fewstep";\nconst picture = Tensor.zeros([1, 3, 8, 8]);',
    "await show(picture); await show(strip([picture], { heading: 'One' }));",
    "await show([{ a: 1 }]); await show('words'); await show(Deno.readTextFileSync('deno.json').length > 0);",
    "const bar = await progress({ label: 'x', total: 2 }); await bar.advance(); await bar.advance(); await bar.end();",
    "await show(Tensor.zeros([1, 4, 16, 16]));",
    "const noise = Tensor.of(Array.from({ length: 3 * 1024 * 1024 }, (_, i) => Math.sin(i * i) / 2 + 0.5), [1, 3, 1024, 1024]);\n" +
      "await show(strip(Array.from({ length: 5 }, () => noise), { cell: 900 }));",
  );
  deepEqual(faults(notebook, "test.ipynb"), []);
  const types = notebook.cells.map(({ outputs = [] }) =>
    outputs.map(({ data = {} }) => Object.keys(data).sort().join(" "))
  );
  deepEqual(types, [
    [],
    ["image/png text/plain", "image/png text/plain"],
    ["text/html text/plain", "text/plain", "text/plain"],
    ["text/html text/plain"],
    ["image/png text/plain"],
    ["image/jpeg text/plain"],
  ]);
  const large = String(notebook.cells[5].outputs?.[0].data?.["image/jpeg"]);
  ok(large.length <= 1_000_000, `a picture of ${large.length} characters`);
  match(JSON.stringify(notebook.cells[5].outputs), /fewer pixels a side; save the figure for all of them/);
  match(JSON.stringify(notebook.cells[3].outputs), /2\/2/);
  const [picture] = notebook.cells[1].outputs ?? [];
  deepEqual(Reflect.get(Object(picture.metadata), "image/png").width, 216, "a figure is shown at half its pixels");
  for (const { outputs = [] } of notebook.cells) {
    for (const { data = {}, metadata } of outputs) {
      for (const type of Object.keys(data).filter((type) => type.startsWith("image/"))) {
        const words = String(data["text/plain"]).replace(/ \(shown with .*/, "");
        equal(Reflect.get(Object(metadata), type).alt, words, "pictures have words");
        equal(Reflect.get(Object(metadata), "vscode_altText"), words);
      }
    }
  }
});

/** A cell's code that presses Stop from another process, soon. */
const stopSoon = "new Deno.Command(Deno.execPath(), { args: ['eval', `Deno.kill(${Deno.pid}, 'SIGINT')`] }).spawn();\n";

Deno.test("Stop ends a run without being asked for, and the notebook goes on from there", async () => {
  const notebook = await executed(
    'import { open, show, stopSignal } from "fewstep";\n' +
      'const model = await open("models/pocket/base");\n' +
      'const request = { prompt: "owl", steps: 1000, guidance: 4 };',
    "try { for await (const step of model.steps(request)) if (step.index === 2) {" + stopSoon + "} }\n" +
      "catch (error) { await show(String(error)); }",
    "const kept = model.stopped.index;\n" +
      "const { value } = await model.steps(model.stopped).next();\n" +
      "await show(`${kept > 1 && kept < 1000} ${value.index - kept}`);",
    stopSoon +
      "const signal = stopSignal();\n" +
      "await new Promise((done) => signal.addEventListener('abort', done));\n" +
      "await show(`heard: ${signal.reason}`);",
  );
  deepEqual(faults(notebook, "test.ipynb"), []);
  const texts = notebook.cells.map(({ outputs = [] }) =>
    outputs.map(({ data = {} }) => String(data["text/plain"])).join()
  );
  match(texts[1], /Stopped between two steps\. What was reached is kept: .*model\.stopped/);
  equal(texts[2], "true 1");
  match(texts[3], /^heard: AbortError/);
});

Deno.test("a Stop that finds nothing to end says so; rejected promises are printed, errors with their causes", async () => {
  const notebook = await executed(
    'import "fewstep";',
    "Deno.kill(Deno.pid, 'SIGINT');\nawait new Promise((done) => setTimeout(done, 300));",
    "void Promise.reject(new Error('on purpose'));\nawait new Promise((done) => setTimeout(done, 300));",
    "throw new RangeError('outer', { cause: new Error('inner', { cause: 'why' }) });",
  );
  const texts = notebook.cells.map(({ outputs }) => JSON.stringify(outputs));
  match(texts[1], /Stop was heard, but no model runs/);
  match(texts[2], /A promise that nothing awaits was rejected.*on purpose/);
  match(texts[3], /RangeError: outer.*caused by Error: inner.*caused by \\?"why/, "the kernel itself drops causes");
});
