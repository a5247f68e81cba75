/**
 * What 8-bit integers cost in quality: the article's six prompts by the pocket base (25 steps, guidance 4) and by its
 * Lightning (4 steps), in float32 and in int8 from the same noise. Prompt scores are means over pictures.
 * Goal: prompt score within 2 % of float32's.
 *
 * Command: deno run -A bench/int8_quality.ts [--seeds 16]
 */

import { parseArgs } from "node:util";
import { compare, type ComparedModel } from "../lib/mod.ts";
import { articlePrompts } from "../lib/sweep/family/article.ts";
import { report } from "./harness.ts";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "16" } } });
const seeds = Array.from({ length: Number(values.seeds) }, (_, seed) => seed);
const base = "models/pocket/base";
const ways: Readonly<Record<string, Omit<ComparedModel, "name">>> = {
  base: { model: base, recipes: [{ recipe: "base", steps: 25, guidance: 4 }] },
  "Lightning at 4": { model: base, unet: "models/pocket/lightning_4step_unet.safetensors" },
};
const folder = await Deno.makeTempDir({ prefix: "fewstep-bench-" });
try {
  const results: Record<string, unknown> = {};
  for (const [name, model] of Object.entries(ways)) {
    const runs = await compare({
      models: [{ ...model, name: "fp32" }, { ...model, name: "int8", precision: "int8" }],
      prompts: articlePrompts.map(({ prompt }) => prompt),
      seeds,
      store: folder,
      quality: { clip: "models/pocket/clip", reference: "fp32" },
    });
    const mean = (model: string, read: (cell: typeof runs.cells[number]) => number | null | undefined) => {
      const found = runs.cells.filter((cell) => cell.model === model).map((cell) => read(cell) ?? NaN);
      return found.reduce((sum, value) => sum + value, 0) / found.length;
    };
    const [fp32, int8] = ["fp32", "int8"].map((model) => mean(model, ({ promptScore }) => promptScore));
    results[name] = {
      pictures: runs.cells.length / 2,
      promptScore: { fp32, int8, ratio: int8 / fp32 },
      retrieved: Object.fromEntries(
        ["fp32", "int8"].map((model) => [model, mean(model, ({ retrieved }) => retrieved)]),
      ),
      latentDistance: mean("int8", ({ latentDistance }) => latentDistance),
      psnr: mean("int8", ({ psnr }) => psnr),
    };
  }
  await report("int8_quality", `deno run -A bench/int8_quality.ts --seeds ${values.seeds}`, {
    ...results,
    wanted: "promptScore.ratio from 0.98 to 1.02",
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
