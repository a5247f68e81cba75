import { disagreement, extremes, facets, pivot } from "../../lib/view/pivot.ts";
import { grid } from "../../lib/view/grid.ts";
import { equal, ok } from "../assert.ts";
import { throws } from "node:assert/strict";
import { sampleComparison } from "./comparison.ts";

Deno.test("a number by two axes: the median of those that share a place, empty where there are none", () => {
  const runs = sampleComparison();
  const table = pivot(runs, { rows: "model", columns: ["steps"], value: "secondsTotal" });
  equal(table.columns.map(({ key }) => key), ["model", "50 steps", "8 steps", "1 step"]);
  equal(table.rows.map((row) => Object.values(row)), [
    ["SDXL base", (5.2 + 5.3) / 2, null, null],
    ["Lightning, full", null, (0.84 + 0.94) / 2, 0.13],
  ]);
  const count = pivot(runs, { columns: "prompt", value: ({ promptScore }) => promptScore, statistic: "count" });
  equal(Object.values(count.rows[1]), ["Lightning, full", 2, 1]);
  throws(() => pivot(runs, { value: () => undefined }), /^RangeError: Cannot tell .*: none of 5 cells has it\. Was it/);
});

Deno.test("facets are seen like the whole, one for each value of an axis", async () => {
  const parts = facets(sampleComparison(), "family");
  equal(parts.map(({ title, cells }) => [title, cells.length]), [["base", 2], ["lightning", 3]]);
  ok((await grid(parts[1], { heading: parts[1].title }).alt()).startsWith("lightning. 2 × 2 pictures"), "a grid");
});

Deno.test("the best and the worst by a number", async () => {
  const figure = extremes(sampleComparison(), { by: "secondsTotal", best: "lowest", count: 2 });
  const words = (await figure.drawing()).texts.map(({ text }) => text).join(" ");
  ok(/best 0\.130 to 0\.840 .*worst 5\.30 to 5\.20/.test(words), words);
  ok(words.includes("Best and worst of 5 pictures by seconds total"), words);
});

Deno.test("where models disagree the most comes first, and says how far", async () => {
  const runs = sampleComparison();
  const figure = disagreement(runs, { count: 2 });
  const { texts, pictures } = await figure.drawing();
  const words = texts.map(({ text }) => text).join(" ");
  equal(pictures.length, 5);
  const apart = [...words.matchAll(/apart (\d\.\d+)/g)].map(([, number]) => Number(number));
  ok(apart.length === 2 && apart[0] > apart[1] && apart[1] > 0, words);
  const once = (await disagreement(runs, { between: "model" }).drawing()).texts.map(({ text }) => text).join(" ");
  ok(/differ the most by model .* 1 more are left out\./.test(once), once);
  throws(() => disagreement({ ...runs, cells: runs.cells.slice(0, 1) }), /no prompt and seed has pictures of two\.$/);
});
