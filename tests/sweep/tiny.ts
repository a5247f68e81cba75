/** The smallest comparison that is one. */

import type { ComparisonOptions } from "fewstep";
import { goldenPath } from "../goldens/read.ts";

export const TINY = goldenPath("tiny-deep");
export const CLIP = goldenPath("tiny-clip");

/** Two models on two prompts, one of them unguided in two steps; nothing is shown. */
export function tiny(store: string): ComparisonOptions {
  return {
    models: [
      { name: "plain", model: TINY, recipes: [{ recipe: "base", steps: 2, guidance: 0 }] },
      { name: "lightning", model: TINY, recipe: "lightning-2step" },
    ],
    prompts: ["gold fish", { prompt: "snow", name: "white" }],
    seeds: [1],
    size: { width: 32, height: 32 },
    store,
    onProgress: () => {},
  };
}
