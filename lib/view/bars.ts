/** What each model costs, as bars, beside what others published. */

import * as Plot from "@observablehq/plot";
import { chart, chartSize } from "./chart.ts";
import type { ComparedSummary, Summarised } from "./cost_table.ts";
import { type PlacedShape, type PlacedText, rectangle } from "./drawing.ts";
import type { Figure } from "./figure.ts";
import { decimalsFor, formatNumber } from "./number.ts";
import { palette, quiet } from "./palette.ts";
import { plain, type PlotOptions, shared } from "./plots.ts";
import type { Published } from "./published.ts";
import { Pen } from "./text.ts";

/** Which costs are drawn, and beside what. */
export interface BarsOptions extends PlotOptions {
  /** "seconds" a picture, or "memory", the highest resident size in 10⁹ bytes. */
  readonly of: "seconds" | "memory";
  /** What others reported, hollow beside ours: `publishedFigures`, for example. */
  readonly published?: Published;
  /** What the published figures call our models, by our names. Default: the same names. */
  readonly names?: Readonly<Record<string, string>>;
}

interface Bar {
  readonly label: string;
  readonly ours?: { readonly value: number; readonly least: number; readonly most: number };
  readonly theirs?: number;
}

/** CSS pixels. */
const barHeight = 13;
const gap = 2;
const between = 12;

/**
 * A row a model and number of steps: ours filled, with the range over pictures as a line; published figures hollow and
 * dashed, with their source beneath. They were measured elsewhere and by other means, and the note says so.
 */
export function costBars(runs: Summarised, options: BarsOptions): Figure {
  const { of, published, names = {}, width = 640 } = options;
  const unit = of === "seconds" ? "s" : "GB";
  const bars = barsOf(runs.summary, of, published, names);
  if (bars.length === 0) throw new RangeError("Cannot draw bars of a comparison: it has no results.");
  const rowHeight = between + (published === undefined ? barHeight : 2 * barHeight + gap);
  const pen = new Pen();
  const words = (value: number) => `${formatNumber(value, decimalsFor(value, 3))} ${unit}`;
  const most = Math.max(...bars.flatMap(({ ours, theirs }) => [ours?.most ?? 0, theirs ?? 0]));
  const left = 22 + Math.max(...bars.map(({ label }) => pen.width(label, chartSize.words)));
  const right = 24 + pen.width(`${words(most)} published`, 11);
  const height = 8 + bars.length * rowHeight + 44;
  return chart({
    ...shared(options, runs),
    width,
    height,
    margin: { left: Math.ceil(left), right: Math.ceil(right), top: 8, bottom: 44 },
    xLabel: of === "seconds" ? "seconds a picture, median →" : "peak memory in GB (10⁹ bytes) →",
    plot: {
      x: { domain: [0, most], ticks: 5, label: null, tickFormat: plain },
      y: { domain: [0, bars.length], axis: null, reverse: true },
      marks: [Plot.gridX({ stroke: quiet.grid, strokeOpacity: 1, ticks: 5 })],
    },
    labels: (scales) => {
      const texts: PlacedText[] = [];
      const shapes: PlacedShape[] = [];
      bars.forEach(({ label, ours, theirs }, row) => {
        let top = scales.top + row * rowHeight + between / 2;
        const middle = top + (rowHeight - between) / 2;
        const style = { size: chartSize.words, anchor: "end" as const };
        texts.push({ text: label, x: scales.left - 8, y: middle + 0.35 * chartSize.words, ...style });
        const zero = scales.x(0);
        if (ours !== undefined) {
          const end = scales.x(ours.value);
          shapes.push({ path: rectangle(zero, top, end - zero, barHeight), fill: palette.blue });
          const [from, to] = [scales.x(ours.least), scales.x(ours.most)];
          if (to - from > 1) {
            const at = top + barHeight / 2;
            shapes.push({ path: `M${from} ${at}H${to}M${from} ${at - 3}v6M${to} ${at - 3}v6`, stroke: palette.black });
          }
          texts.push({ text: words(ours.value), x: Math.max(end, to) + 6, y: top + barHeight - 3, size: 11 });
        }
        if (ours === undefined) top = middle - barHeight / 2;
        else top += barHeight + gap;
        if (theirs !== undefined) {
          const end = scales.x(theirs);
          shapes.push({
            path: rectangle(zero + 0.5, top + 0.5, end - zero - 1, barHeight - 1),
            fill: "#ffffff",
            stroke: palette.vermilion,
            dash: [3, 2.5],
          });
          const y = top + barHeight - 3;
          texts.push({ text: `${theirs} ${unit} published`, x: end + 6, y, size: 11, color: quiet.words });
        }
      });
      return { texts, shapes };
    },
    notes: [
      ...options.notes ?? [],
      ...published === undefined ? [] : [
        `Filled: measured here. Hollow: published by ${published.source} (${published.conditions}); ` +
        "another machine, another measure.",
      ],
    ],
    alt: `${options.heading ? `${options.heading}. ` : ""}${of === "seconds" ? "Seconds a picture" : "Peak memory"}: ` +
      bars.map(({ label, ours, theirs }) =>
        [`${label}`, ours && words(ours.value), theirs !== undefined && `${theirs} ${unit} published`]
          .filter((part) => part).join(" ")
      ).join("; ") + ".",
  });
}

/** Ours in the comparison's order, each with its published counterpart; then what only the others have. */
function barsOf(
  summary: readonly ComparedSummary[],
  of: "seconds" | "memory",
  published: Published | undefined,
  names: Readonly<Record<string, string>>,
): Bar[] {
  const left = new Set(published?.figures ?? []);
  const label = (model: string, steps: number) => `${model}, ${steps} step${steps === 1 ? "" : "s"}`;
  const ours = summary.map(({ model, steps, seconds, memory }): Bar => {
    const known = names[model] ?? model;
    const theirs = published?.figures.find((figure) => figure.system === known && figure.steps === steps);
    if (theirs !== undefined) left.delete(theirs);
    const { median, least, most } = of === "seconds" ? seconds.total : memory.peak;
    const scale = of === "seconds" ? 1 : 1e-9;
    return {
      label: label(model, steps),
      ours: { value: median * scale, least: least * scale, most: most * scale },
      theirs: theirs?.[of],
    };
  });
  return [...ours, ...[...left].map((figure) => ({ label: label(figure.system, figure.steps), theirs: figure[of] }))];
}
