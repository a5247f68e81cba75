/** A small comparison in a process of its own, for tests that kill it: `killed.ts STORE`. Prints each cell as it begins. */

import { compare } from "fewstep";
import { goldenPath } from "../goldens/read.ts";

const [store] = Deno.args;
const model = goldenPath("tiny-deep");
const printed = new Set<string>();
const print = (line: string) => {
  if (!printed.has(line)) Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  printed.add(line);
};

const runs = await compare({
  models: [
    { name: "two", model, recipes: [{ recipe: "base", steps: 2, guidance: 0 }] },
    { name: "lightning", model, memory: "lean", recipe: "lightning-2step" },
  ],
  prompts: ["gold fish", "snow", ""],
  seeds: [1],
  size: { width: 32, height: 32 },
  measure: { records: "all" },
  quality: { clip: goldenPath("tiny-clip"), reference: "two" },
  store,
  onProgress: ({ cell, step }) => {
    if (cell && step === 0) print(`begins ${cell.key}`);
  },
});
print(`finished ${runs.cells.length} ${runs.cells.map(({ latentDigest }) => latentDigest).join(" ")}`);
