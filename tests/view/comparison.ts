/** A small comparison that was never run: pictures by formula, costs by hand. */

import type { Tensor } from "../../lib/tensor/tensor.ts";
import type { Compared, ComparedCell } from "../../lib/view/arrange.ts";
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
