/** Many Jupyter kernels at once, each with a model of its own: `deno task test:long`. */

import { join } from "node:path";
import { equal, ok } from "../assert.ts";
import { goldenPath } from "../goldens/read.ts";
import { execute } from "../notebooks/execute.ts";
import { ensurePython } from "../notebooks/python.ts";
import { part } from "./parts.ts";

const KERNELS = Number(Deno.env.get("FEWSTEP_KERNELS") ?? 10);

/** Bytes that a kernel with a model of a few megabytes may take: most of it is V8, ONNX Runtime and what they load. */
const MOST = 700e6;

/** Seconds after which a kernel that waits for the others gives up. */
const PATIENCE = 1200;

/** All wait for each other, so that all are there at once; then each draws. */
const cells = (folder: string) => [
  `import { open } from "fewstep";
import { readMemory } from "fewstep/measure/memory.ts";
import { latentDigest } from "fewstep/model/provenance.ts";
const model = await open(${JSON.stringify(goldenPath("tiny-deep"))});
await Deno.writeTextFile(${JSON.stringify(folder)} + "/" + Deno.pid, "");
const there = () => [...Deno.readDirSync(${JSON.stringify(folder)})].length;
for (let i = 0; there() < ${KERNELS} && i < ${10 * PATIENCE}; i++) await new Promise((go) => setTimeout(go, 100));`,
  `const size = { width: 32, height: 32 };
const { step } = await model.generate({ prompt: "a tiger face, crown", seed: 7, steps: 3, guidance: 4, size });
console.log(JSON.stringify({ pid: Deno.pid, there: there(), digest: await latentDigest(step), ...readMemory() }));
await model.close();`,
];

interface Told {
  readonly pid: number;
  readonly there: number;
  readonly digest: string;
  readonly resident: number;
}

async function kernel(folder: string, i: number): Promise<Told> {
  const path = join(folder, `${i}.ipynb`);
  const there = join(folder, "there");
  const made = cells(there).map((source, id) => (
    { cell_type: "code", id: `cell-${id}`, source, metadata: {}, outputs: [], execution_count: null }
  ));
  await Deno.writeTextFile(path, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: made }));
  const { notebook } = await execute(path);
  const outputs = notebook.cells.flatMap(({ outputs }) => outputs ?? []);
  const [output] = outputs;
  ok(outputs.length === 1 && output.output_type === "stream", JSON.stringify(outputs));
  return JSON.parse([output.text].flat().join(""));
}

/** Whether a process is still there, after a moment in which it may end. */
async function lives(pid: number): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    const { success } = await new Deno.Command("kill", { args: ["-0", `${pid}`], stderr: "null" }).output();
    if (!success) return false;
    await new Promise((go) => setTimeout(go, 100));
  }
  return true;
}

part(`${KERNELS} kernels at once draw the same bits, within their memory, and end`, async () => {
  await ensurePython();
  const told: Told[] = [];
  const folder = await Deno.makeTempDir({ dir: "notebooks", prefix: ".test-" }); // where the import map is found
  try {
    await Deno.mkdir(join(folder, "there"));
    const path = await Deno.realPath(folder);
    told.push(...await Promise.all(Array.from({ length: KERNELS }, (_, i) => kernel(path, i))));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  equal(new Set(told.map(({ pid }) => pid)).size, KERNELS);
  equal(told.map(({ there }) => there), told.map(() => KERNELS));
  equal(new Set(told.map(({ digest }) => digest)).size, 1);
  const largest = Math.max(...told.map(({ resident }) => resident));
  ok(largest < MOST, `a kernel takes ${largest} bytes`);
  for (const { pid } of told) ok(!await lives(pid), `kernel ${pid} still runs`);
  const all = told.reduce((sum, { resident }) => sum + resident, 0);
  return `${KERNELS} kernels, ${(largest / 1e6).toFixed(0)} MB at most, ${
    (all / 1e9).toFixed(2)
  } GB together, all ended`;
});
