/** Several lines in one plot, each with its name at its end. */

import * as Plot from "@observablehq/plot";
import { chart, chartSize, log10, logAxis, withRoom } from "./chart.ts";
import type { Figure } from "./figure.ts";
import { namesAtEnds } from "./labels.ts";
import { quiet, seriesStyle } from "./palette.ts";
import { plain, type PlotOptions } from "./plots.ts";
import { Pen } from "./text.ts";

export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Which of the series' colours. Default: its place. */
  readonly color?: number;
  /** "solid" (default); "dashed" for what is expected, or a second kind. */
  readonly line?: "solid" | "dashed";
  /** Whether each point has a mark. Default "dots". */
  readonly marks?: "dots" | "none";
}

export interface LinesOptions extends PlotOptions {
  readonly xLabel: string;
  readonly yLabel: string;
  /** Default "linear". */
  readonly x?: "linear" | "log" | "log-falling";
  readonly y?: "linear" | "linear-from-0" | "log";
  /** Ticks of x. Default: chosen. */
  readonly xTicks?: readonly number[];
  readonly alt: string;
}

/** @throws RangeError where no series has a point */
export function lines(series: readonly Series[], options: LinesOptions): Figure {
  const { width = 420, height = 300, x: xScale = "linear", y: yScale = "linear" } = options;
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) throw new RangeError("Cannot draw lines through no points: at least one was wanted.");
  const logs = xScale !== "linear";
  const toX = (value: number) => logs ? log10(value) : value;
  const toY = (value: number) => yScale === "log" ? log10(value) : value;
  const [xs, ys] = [all.map(({ x }) => x), all.map(({ y }) => y)];
  const ticks = options.xTicks;
  const xAxis = logs ? logAxis(xs, 0.1, ticks) : { domain: withRoom(xs, 0.03), ticks: ticks ?? 6 };
  const yAxis = yScale === "log"
    ? logAxis(ys, 0.3)
    : { domain: yScale === "linear" ? withRoom(ys, 0.08) : [0, 1.08 * Math.max(...ys, 1e-9)], ticks: 6 };
  const styled = series.map((one, index) => ({
    ...one,
    ...seriesStyle(one.color ?? index),
    placed: one.points.map(({ x, y }) => ({ x: toX(x), y: toY(y) })),
  })).filter(({ points }) => points.length > 0);
  const bold = new Pen(600);
  const right = 26 + Math.max(...styled.map(({ name }) => bold.width(name, chartSize.words)));
  return chart({
    heading: options.heading,
    notes: options.notes,
    width,
    height,
    margin: { left: 56, right: Math.ceil(right), top: 36, bottom: 52 },
    xLabel: options.xLabel,
    yLabel: options.yLabel,
    plot: {
      x: {
        ...xAxis,
        label: null,
        reverse: xScale === "log-falling",
        tickFormat: (value: number) => plain(logs ? 10 ** value : value),
      },
      y: { ...yAxis, label: null, tickFormat: (value: number) => plain(yScale === "log" ? 10 ** value : value) },
      marks: [
        Plot.gridX({ stroke: quiet.grid, strokeOpacity: 1, ticks: xAxis.ticks }),
        Plot.gridY({ stroke: quiet.grid, strokeOpacity: 1, ticks: yAxis.ticks }),
        ...styled.map(({ placed, color, line, dash }) =>
          Plot.line(placed, {
            x: "x",
            y: "y",
            stroke: color,
            strokeWidth: 1.75,
            strokeDasharray: line === "dashed" ? "5 4" : dash,
          })
        ),
        ...styled.filter(({ marks }) => marks !== "none").map(({ placed, color, symbol }) =>
          Plot.dot(placed, { x: "x", y: "y", fill: color, symbol, r: 3.5 })
        ),
      ],
    },
    labels: (scales) =>
      namesAtEnds(
        styled.map(({ name, color, words, placed }) => {
          const [{ x, y }] = placed.slice(-1);
          return { name, color, words, x: scales.x(x), y: scales.y(y) };
        }),
        scales,
        14,
      ),
    alt: options.alt,
  });
}
