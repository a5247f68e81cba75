/** A small comparison that was never run: pictures by formula, costs by hand. */

import type { Tensor } from "../../lib/tensor/tensor.ts";
import type { Compared, ComparedCell } from "../../lib/view/arrange.ts";
import type { ComparedSummary, Summarised } from "../../lib/view/cost_table.ts";
import { disc } from "./samples.ts";

export const prompts = [
  { promptName: "food", prompt: "food photography, cheesecake, blueberries & jam, 100 % cream" },
  { promptName: "a prompt without a short name that goes on and on", prompt: "a prompt without a short name" },
];

const models = [
  { model: "SDXL base", family: "base", recipe: "base", steps: 50, sampler: "euler", guidance: 5, seconds: 5.2 },
  {
    model: "Lightning, full",
    family: "lightning",
    recipe: "lightning-8step",
    steps: 8,
    sampler: "euler",
    guidance: 0,
    seconds: 0.84,
  },
  {
    model: "Lightning, full",
    family: "lightning",
    recipe: "lightning-1step",
    steps: 1,
    sampler: "euler",
    guidance: 0,
    seconds: 0.13,
  },
];

/** Two prompts by three models, without the last picture. */
export function sampleComparison(): Compared {
  const cells = models.flatMap(({ seconds, ...model }, at) =>
    prompts.map((prompt, index): ComparedCell => ({
      ...model,
      ...prompt,
      seed: ["78934567", "18446744073709551615"][index],
      secondsTotal: seconds + index / 10,
      memoryPeak: 4e8 + at * 1e6,
      promptScore: 31.25 - at,
    }))
  ).slice(0, -1);
  const picture = (cell: ComparedCell): Promise<Tensor> => Promise.resolve(disc(cell.secondsTotal % 1));
  return { cells, picture };
}

const around = (median: number, width: number, count = 6) => ({
  count,
  median,
  least: median * (1 - width),
  most: median * (1 + width),
});

/** Costs and scores of four families at their numbers of steps, by hand. */
export function sampleSummary(): Summarised & { readonly summary: ComparedSummary[] } {
  const rows: [model: string, family: string, steps: number, seconds: number, memory: number, score: number][] = [
    ["SDXL base", "base", 50, 13.2, 11.24e9, 33.1],
    ["Lightning, full", "lightning", 8, 1.84, 11.24e9, 32.4],
    ["Lightning, full", "lightning", 4, 1.16, 11.24e9, 32.1],
    ["Lightning, full", "lightning", 2, 0.996, 11.24e9, 31.2],
    ["Lightning, full", "lightning", 1, 0.8, 11.24e9, 28.9],
    ["Lightning, LoRA", "lightning", 8, 1.86, 11.3e9, 32.2],
    ["Lightning, LoRA", "lightning", 4, 1.19, 11.3e9, 31.9],
    ["Turbo", "turbo", 4, 0.4, 8.22e9, 31.6],
    ["Turbo", "turbo", 1, 0.2, 8.22e9, 30.2],
    ["LCM-LoRA", "lcm", 8, 2.2, 11.65e9, 31.0],
    ["LCM-LoRA", "lcm", 4, 1.5, 11.65e9, 30.1],
  ];
  const summary = rows.map(([model, family, steps, seconds, memory, score]): ComparedSummary => ({
    model,
    family,
    recipe: family === "lightning" ? `lightning-${steps}step` : family,
    steps,
    cells: 6,
    warm: true,
    seconds: { total: around(seconds, 0.04), perStep: around(seconds / steps, 0.04) },
    memory: { peak: around(memory, 0) },
    quality: {
      promptScore: around(score, 0.02),
      ...family === "base" ? {} : { ssim: around(score / 60, 0.1) },
    },
    ...family === "base" ? {} : { frechet: { value: (34 - score) / 100, error: null } },
  }));
  return { summary };
}
