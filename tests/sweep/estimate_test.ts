import { Estimate } from "fewstep/sweep/estimate.ts";
import { planComparison } from "fewstep/sweep/plan.ts";
import { median, spreadOf } from "fewstep/measure/spread.ts";
import { closeEach, equal } from "../assert.ts";
import { TINY } from "./tiny.ts";

Deno.test("the rest is estimated from each model's own times, and says when it guesses", async () => {
  const { cells } = await planComparison({
    models: [
      { name: "slow", model: TINY, recipes: [{ recipe: "base", steps: 4, guidance: 5 }] },
      { name: "fast", model: TINY, memory: "lean", recipe: "lightning-2step" },
    ],
    prompts: ["a", "b", "c"],
    size: { width: 32, height: 32 },
  });
  const estimate = new Estimate();
  equal(estimate.remaining(cells), undefined);
  // 8 runs of the network in 4 s and 9 s of loading, then 4 s and 1 s for the rest
  estimate.observe(cells[0], { secondsUnet: 4, secondsTotal: 13, warm: false });
  estimate.observe(cells[1], { secondsUnet: 4, secondsTotal: 5, warm: true });
  equal(estimate.remaining([cells[2]]), { seconds: 5, sure: true });
  equal(estimate.remaining([cells[2]], 0.5), { seconds: 2.5, sure: true });
  // the other model: 2 runs at 0.5 s, its loading once, then 1 s for the rest
  equal(estimate.remaining(cells.slice(2)), { seconds: 5 + (1 + 9) + (1 + 1) + (1 + 1), sure: false });
  estimate.observe(cells[3], { secondsUnet: 0.2, secondsTotal: 3.2, warm: false });
  equal(estimate.remaining(cells.slice(4)), { seconds: 2.4, sure: true });
});

Deno.test("spreads are the sample's", () => {
  const { mean, deviation, ...rest } = spreadOf([4, 1, 3, 2]);
  closeEach([mean, deviation], [2.5, Math.sqrt(5 / 3)], 1e-12);
  equal(rest, { count: 4, median: 2.5, least: 1, most: 4 });
  equal(spreadOf([7]).deviation, 0);
  equal(median([9, 1, 5]), 5);
});
