/** A comparison on the pocket models: real cells in few steps, as many as are wanted. */

import type { CompareOptions } from "fewstep";
import { CLIP } from "./tiny.ts";

const PROMPTS = [
  "a sunflower in a meadow",
  "a castle on a hill, snow",
  "a red car on a street",
  "a fish in the sea",
  "a cake with blueberries",
  "a tiger, forest",
  "a house by a lake",
  "a mushroom, moss",
  "a rocket in the sky, night",
  "a bowl of fruit on a table",
];

/** Ways to run a picture in this comparison: two models in two and in four steps. */
export const WAYS = 4;

/** Two models in two and four steps on up to ten prompts: `WAYS × prompts × seeds` cells, 12 steps a prompt and seed. */
export function pocketPlan(
  { prompts, seeds }: { readonly prompts: number; readonly seeds: number },
): CompareOptions & Required<Pick<CompareOptions, "models">> {
  const model = "models/pocket/base";
  return {
    models: [
      { name: "base", model, recipes: [{ steps: 2, guidance: 0 }, { steps: 4, guidance: 0 }] },
      {
        name: "Lightning",
        model,
        unet: "models/pocket/lightning_4step_unet.safetensors",
        recipes: [{ recipe: "lightning-4step", steps: 2, unguarded: true }, "lightning-4step"],
      },
    ],
    prompts: PROMPTS.slice(0, prompts),
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    quality: { clip: CLIP, reference: { model: "base", steps: 4 } },
  };
}
