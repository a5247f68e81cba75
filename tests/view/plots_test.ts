import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { costBars } from "../../lib/view/bars.ts";
import type { Figure } from "../../lib/view/figure.ts";
import { overlap, placeLabels, spreadOut } from "../../lib/view/labels.ts";
import { paretoFront } from "../../lib/view/pareto.ts";
import { quiet, seriesStyle } from "../../lib/view/palette.ts";
import { stepsAgainstQuality, timeAgainstQuality } from "../../lib/view/plots.ts";
import { publishedFigures } from "../../lib/view/published.ts";
import { schedulePlot } from "../../lib/view/schedule_plot.ts";
import { Pen } from "../../lib/view/text.ts";
import { sampleSummary } from "./comparison.ts";
import { matchSnapshot } from "./snapshot.ts";

const names = {
  "Lightning, full": "SDXL-Lightning full",
  "Lightning, LoRA": "SDXL-Lightning LoRA",
  "Turbo": "SDXL-Turbo",
};

const figures: readonly (readonly [string, () => Figure])[] = [
  [
    "time-quality",
    () => timeAgainstQuality(sampleSummary(), { heading: "What a picture costs, and what it is worth" }),
  ],
  ["steps-quality", () => stepsAgainstQuality(sampleSummary(), { metric: "frechet" })],
  ["memory", () => costBars(sampleSummary(), { of: "memory", published: publishedFigures, names, heading: "Memory" })],
  ["schedules", () => schedulePlot(["base", "lightning-4step", "comfy-lightning-4step", "lcm", "turbo"])],
  ["seconds", () => costBars(sampleSummary(), { of: "seconds" })],
];

for (const [name, draw] of figures) {
  Deno.test(`a plot: ${name}; its words neither overlap nor leave the sheet`, async () => {
    const figure = draw();
    await matchSnapshot(`plot-${name}`, await figure.png({ density: 1 }));
    const { texts, width, height } = await figure.drawing();
    const boxes = texts.map(({ text, x, y, size, weight, anchor = "start" }) => {
      const wide = new Pen(weight).width(text, size);
      const left = x - (anchor === "middle" ? wide / 2 : anchor === "end" ? wide : 0);
      return { text, left, right: left + wide, top: y - 0.75 * size, bottom: y + 0.2 * size };
    });
    for (const [index, box] of boxes.entries()) {
      ok(box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height, `${box.text} leaves the sheet`);
      for (const other of boxes.slice(index + 1)) equal(overlap(box, other), 0, `${box.text} covers ${other.text}`);
    }
  });
}

Deno.test("the Pareto front: faster or better than all others, and in words for those who see no plot", async () => {
  const points = [[1, 5], [2, 3], [2, 4], [3, 3], [4, 1], [1, 6]] as const;
  deepEqual(paretoFront(points, (point) => point), [[1, 5], [2, 3], [4, 1]]);
  deepEqual(paretoFront([], () => [0, 0]), []);
  const alt = await timeAgainstQuality(sampleSummary()).alt();
  match(alt, /On the Pareto front: Turbo at 1 step \(0\.2 s, 30\.2\); Turbo at 4 steps .*; SDXL base at 50 steps/);
  ok(!alt.includes("LCM-LoRA"));
});

Deno.test("less is better where the metric says so", async () => {
  const alt = await timeAgainstQuality(sampleSummary(), { metric: "frechet" }).alt();
  match(alt, /On the Pareto front: Turbo at 1 step \(0\.2 s, 0\.038\)/);
});

Deno.test("published figures stand beside ours, marked, with their source; what only they have comes last", async () => {
  const { texts } = await costBars(sampleSummary(), { of: "seconds", published: publishedFigures, names }).drawing();
  const words = texts.map(({ text }) => text);
  equal(words.filter((text) => text.endsWith(" published")).length, publishedFigures.figures.length);
  ok(words.includes("13.2 s published") && words.includes("LCM-LoRA, 2 steps"));
  match(words.join(" "), /published by Félix Sanz, "SDXL-Lightning: quick look and comparison", 2024/);
});

Deno.test("a metric that was not measured is refused", () => {
  throws(
    () => timeAgainstQuality(sampleSummary(), { metric: "psnr" }),
    /Cannot plot psnr: .* only promptScore, ssim, frechet/,
  );
  throws(() => timeAgainstQuality({ summary: [] }), /Cannot plot quality: the comparison has no metric/);
  throws(() => costBars({ summary: [] }, { of: "memory" }), /it has no results/);
});

Deno.test("labels keep clear of points and of each other", () => {
  const points = Array.from(
    { length: 12 },
    (_, index) => ({ x: 100 + index * 9, y: 100 + (index % 3) * 4, radius: 4 }),
  );
  const placed = placeLabels(
    points.map((point, index) => ({ ...point, text: `label ${index}`, size: 11 })),
    { left: 0, top: 0, right: 400, bottom: 300 },
  );
  for (const [index, { box }] of placed.entries()) {
    for (const other of placed.slice(index + 1)) equal(overlap(box, other.box), 0);
    for (const { x, y } of points) {
      equal(overlap(box, { left: x - 4, top: y - 4, right: x + 4, bottom: y + 4 }), 0);
    }
  }
});

Deno.test("heights are moved apart in their order, within bounds", () => {
  const out = spreadOut([10, 11, 12, 50], 12, [0, 60]);
  ok(out.every((height, index) => index === 0 || height - out[index - 1] >= 11.9), out.join());
  ok(out[0] >= 0 && out[3] <= 60);
});

Deno.test("words in a series' colour read well on white", () => {
  const luminance = (hex: string) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const words of [...Array.from({ length: 7 }, (_, index) => seriesStyle(index).words), quiet.words]) {
    ok(1.05 / (luminance(words) + 0.05) >= 4.5, words);
  }
});

Deno.test("thirty series look thirty ways, the first seven in whole lines", () => {
  const looks = Array.from({ length: 30 }, (_, index) => seriesStyle(index));
  equal(new Set(looks.map(({ color, symbol }) => `${color} ${symbol}`)).size, 30);
  deepEqual(looks.map(({ dash }) => dash === undefined), looks.map((_, index) => index < 7));
});

Deno.test("a schedule is told by its sigmas, a recipe's by its name", async () => {
  const own = { timesteps: [999, 500], sigmas: [14.6, 2, 0], initNoiseSigma: 14.6 };
  match(
    await schedulePlot({ own, "4 steps": "lightning-4step" }).alt(),
    /own from 14\.6 to 2 in 2; 4 steps from 14\.6 to .* in 4\./,
  );
  throws(() => schedulePlot([]), /Cannot plot no schedule/);
});
