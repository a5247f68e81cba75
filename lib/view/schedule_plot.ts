/** Noise levels of schedules, step by step: how recipes that look alike differ. */

import * as Plot from "@observablehq/plot";
import { plan, type Schedule, SDXL_SCHEDULER } from "../diffusion/mod.ts";
import { chart, chartSize, log10, logAxis } from "./chart.ts";
import type { Figure } from "./figure.ts";
import { namesAtEnds } from "./labels.ts";
import { quiet, seriesStyle } from "./palette.ts";
import { plain, type PlotOptions } from "./plots.ts";
import { Pen } from "./text.ts";

/**
 * A line a schedule: the sigma that each step begins at, on a logarithmic axis, against the share of the steps taken. The
 * closing 0 has no place there and is left out.
 *
 * @param schedules by the name that stands beside the line: a recipe's name (its own steps, SDXL's scheduler), or a
 * schedule such as `step.trajectory.schedule`
 */
export function schedulePlot(
  schedules: readonly string[] | Readonly<Record<string, string | Schedule>>,
  options: PlotOptions = {},
): Figure {
  const entries = Array.isArray(schedules)
    ? schedules.map((name: string) => [name, name] as const)
    : Object.entries(schedules);
  if (entries.length === 0) throw new RangeError("Cannot plot no schedule: at least one was wanted.");
  const lines = entries.map(([name, given]: readonly [string, string | Schedule], index) => {
    const { sigmas } = typeof given === "string" ? plan({ recipe: given }, SDXL_SCHEDULER).schedule : given;
    const positive = sigmas.slice(0, -1).filter((sigma) => sigma > 0);
    const points = positive.map((sigma, step) => ({ sigma, share: step / positive.length }));
    return { name, points, ...seriesStyle(index) };
  });
  const { heading, notes, width = 640, height = 360 } = options;
  const axis = logAxis(lines.flatMap(({ points }) => points.map(({ sigma }) => sigma)), 0.2);
  const bold = new Pen(600);
  const widest = Math.max(...lines.map(({ name }) => bold.width(name, chartSize.words)));
  const channels = { x: "share", y: ({ sigma }: { readonly sigma: number }) => log10(sigma) };
  return chart({
    heading,
    notes,
    width,
    height,
    margin: { left: 52, right: Math.ceil(widest) + 32, top: 36, bottom: 52 },
    yLabel: "↑ sigma at the step's beginning",
    xLabel: "share of the steps taken →",
    plot: {
      x: { domain: [0, 1], ticks: 5, label: null, tickFormat: (share: number) => `${Math.round(100 * share)} %` },
      y: { ...axis, label: null, tickFormat: (value: number) => plain(10 ** value) },
      marks: [
        Plot.gridY({ stroke: quiet.grid, strokeOpacity: 1, ticks: axis.ticks }),
        ...lines.map(({ points, color, dash }) =>
          Plot.line(points, { ...channels, stroke: color, strokeWidth: 2, strokeDasharray: dash })
        ),
        ...lines.filter(({ points }) => points.length <= 12)
          .map(({ points, color, symbol }) => Plot.dot(points, { ...channels, fill: color, symbol, r: 4 })),
      ],
    },
    labels: (scales) =>
      namesAtEnds(
        lines.map(({ name, color, words, points }) => {
          const [{ share, sigma }] = points.slice(-1);
          return { name, color, words, x: scales.x(share), y: scales.y(log10(sigma)) };
        }),
        scales,
        18,
      ),
    alt: `${heading ? `${heading}. ` : ""}Sigmas: ` +
      lines.map(({ name, points }) =>
        `${name} from ${plain(points[0].sigma)} to ${plain(points[points.length - 1].sigma)} in ${points.length}`
      )
        .join("; ") +
      ".",
  });
}
