/** `deno task compare`: models on prompts and seeds, as far as the store does not have them yet, and what it all cost. */

import { type Arguments, type Command, main, type Running } from "./args.ts";
import { COMPARISON, COMPARISON_FILE, comparisonIn, rowOf } from "./comparison_args.ts";

export const compareCommand: Command = {
  name: "compare",
  about:
    "Compares models on time, memory and quality. What was run before is taken from the store: a comparison that " +
    "was\nstopped goes on where it was.",
  kept: "What was finished is stored: the same command goes on from there.",
  positional: COMPARISON_FILE,
  options: {
    ...COMPARISON,
    store: { value: "FOLDER", about: "where pictures and numbers are kept; default runs" },
    json: { about: "print one JSON object: summary, and every cell with its files" },
  },
  examples: [
    "deno task compare --model base=models/pocket/base --steps 50,8,4,2 --prompts data/prompts/article.json",
    "deno task compare --model base=models/pocket/base --model \\",
    "    lightning=models/pocket/base,unet=models/pocket/lightning_4step_unet.safetensors \\",
    '    --prompt "sunflower, meadow" --seeds 1,2,3 --reference base',
  ],
  run,
};

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const options = { ...await comparisonIn(args), store: args.text("store") };
  const { compare } = await import("../sweep/compare.ts");
  const began = performance.now();
  const runs = await compare({ ...options, signal, warn: (message) => console.error(message) });
  if (args.has("json")) {
    const { store, summary, cells, plan: { omitted } } = runs;
    return console.log(JSON.stringify({ store, omitted, summary, cells }, null, 2));
  }
  const { tableText } = await import("../view/table.ts");
  console.log(tableText(runs.summary.map(rowOf)));
  const cold = runs.summary.some(({ warm }) => !warm);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(
    `\nMedians; ± is the standard deviation, of the Fréchet distance and diversity the standard error.` +
      (cold ? ` Rows marked * hold the loading of the model: use --warm-up, or more seeds.` : ""),
  );
  console.log(`${runs.cells.length} cells in ${runs.store}, after ${seconds} s.`);
}

if (import.meta.main) await main(compareCommand);
