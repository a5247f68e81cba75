/** What a comparison shows: time against quality, quality by steps, and what each model costs. */

import * as Plot from "@observablehq/plot";
import { chart, chartSize, log10, logAxis, withRoom } from "./chart.ts";
import { type ComparedSummary, type Metric, metrics, type Summarised } from "./cost_table.ts";
import type { Figure } from "./figure.ts";
import { alongLines, type LabelledPoint, namesAtEnds, placeLabels } from "./labels.ts";
import { decimalsFor, formatNumber } from "./number.ts";
import { quiet, seriesStyle } from "./palette.ts";
import { paretoFront } from "./pareto.ts";
import { Pen } from "./text.ts";

/** What stands around a plot, and how large it is. */
export interface PlotOptions {
  /** Over the whole. */
  readonly heading?: string;
  /** Under the whole, a sentence each. */
  readonly notes?: readonly string[];
  /** CSS pixels. Default 640. */
  readonly width?: number;
  /** CSS pixels of the plot without heading and notes. Default 400. */
  readonly height?: number;
}

/** Which quality a plot shows. */
export interface QualityPlotOptions extends PlotOptions {
  /** Default: the first that was measured, prompt score first. */
  readonly metric?: Metric | "frechet" | "diversity";
}

interface Point {
  readonly model: string;
  readonly steps: number;
  readonly seconds: number;
  readonly quality: number;
}

/**
 * A dot a model and number of steps: median seconds (logarithmic) against median quality, the runs of a model joined,
 * and the Pareto front: what no other run beats in both.
 * @throws RangeError when the metric was not measured
 */
export function timeAgainstQuality(runs: Summarised, options: QualityPlotOptions = {}): Figure {
  const { metric, title, better, points, models } = qualityOf(runs, options.metric);
  const front = paretoFront(points, ({ seconds, quality }) => [seconds, better === "less" ? quality : -quality]);
  const { width = 640, height = 400 } = options;
  const axis = logAxis(points.map(({ seconds }) => seconds), 0.3);
  const named = (model: string) => points.filter((point) => point.model === model).sort(bySteps);
  const channels = { x: ({ seconds }: Point) => log10(seconds), y: "quality" };
  return chart({
    ...shared(options, runs),
    width,
    height,
    margin: { left: 52, right: 20, top: 36, bottom: 52 },
    yLabel: axisLabel(title, better),
    xLabel: "seconds a picture, median →",
    plot: {
      x: { ...axis, label: null, tickFormat: (value: number) => plain(10 ** value) },
      y: { domain: withRoom(points.map(({ quality }) => quality), 0.12), ticks: 6, label: null },
      marks: [
        Plot.gridX({ stroke: quiet.grid, strokeOpacity: 1, ticks: axis.ticks }),
        Plot.gridY({ stroke: quiet.grid, strokeOpacity: 1, ticks: 6 }),
        Plot.line(front, { ...channels, stroke: quiet.lines, strokeWidth: 6, strokeOpacity: 0.35 }),
        ...models.map(({ model, color, dash }) =>
          Plot.line(named(model), { ...channels, stroke: color, strokeWidth: 1.5, strokeDasharray: dash })
        ),
        ...models.map(({ model, color, symbol }) => Plot.dot(named(model), { ...channels, fill: color, symbol, r: 4 })),
      ],
    },
    labels: (scales) => {
      const at = ({ seconds, quality }: Point) => ({ x: scales.x(log10(seconds)), y: scales.y(quality), radius: 4.5 });
      const names = models.map(({ model, words }): LabelledPoint => {
        const [most] = named(model).slice(-1);
        return { ...at(most), text: model, size: chartSize.words, weight: 600, color: words };
      });
      const steps = points.map((point): LabelledPoint => ({
        ...at(point),
        text: point.steps === 1 ? "1 step" : String(point.steps),
        size: 10.5,
        color: models.find(({ model }) => model === point.model)?.words,
      }));
      const lines = [front, ...models.map(({ model }) => named(model))].flatMap((line) => alongLines(line.map(at)));
      return { texts: placeLabels([...names, ...steps], scales, lines) };
    },
    notes: [
      ...options.notes ?? [],
      `Numbers at the dots are steps. The grey band is the Pareto front: no other run is both faster and better.`,
    ],
    alt: `${options.heading ? `${options.heading}. ` : ""}Seconds against ${title}. ` +
      `On the Pareto front: ${
        front.map(({ model, steps, seconds, quality }) =>
          `${model} at ${steps} step${steps === 1 ? "" : "s"} (${plain(seconds)} s, ${plain(quality)})`
        ).join("; ")
      }. Metric: ${metric}.`,
  });
}

/** A line a model: quality by the number of steps (logarithmic), the model's name at its end. */
export function stepsAgainstQuality(runs: Summarised, options: QualityPlotOptions = {}): Figure {
  const { title, better, points, models } = qualityOf(runs, options.metric);
  const { width = 640, height = 360 } = options;
  const counts = [...new Set(points.map(({ steps }) => steps))].sort((a, b) => a - b);
  const bold = new Pen(600);
  const widest = Math.max(...models.map(({ model }) => bold.width(model, chartSize.words)));
  const named = (model: string) => points.filter((point) => point.model === model).sort(bySteps);
  const channels = { x: ({ steps }: Point) => log10(steps), y: "quality" };
  return chart({
    ...shared(options, runs),
    width,
    height,
    margin: { left: 52, right: Math.ceil(widest) + 32, top: 36, bottom: 52 },
    yLabel: axisLabel(title, better),
    xLabel: "denoising steps →",
    plot: {
      x: {
        ...logAxis(counts, 0.12, counts),
        label: null,
        tickFormat: (value: number) => plain(10 ** value),
      },
      y: { domain: withRoom(points.map(({ quality }) => quality), 0.08), ticks: 6, label: null },
      marks: [
        Plot.gridY({ stroke: quiet.grid, strokeOpacity: 1, ticks: 6 }),
        ...models.map(({ model, color, dash }) =>
          Plot.line(named(model), { ...channels, stroke: color, strokeWidth: 2, strokeDasharray: dash })
        ),
        ...models.map(({ model, color, symbol }) => Plot.dot(named(model), { ...channels, fill: color, symbol, r: 4 })),
      ],
    },
    labels: (scales) =>
      namesAtEnds(
        models.map(({ model, color, words }) => {
          const [{ steps, quality }] = named(model).slice(-1);
          return { name: model, color, words, x: scales.x(log10(steps)), y: scales.y(quality) };
        }),
        scales,
        18,
      ),
    alt: `${options.heading ? `${options.heading}. ` : ""}${title} by denoising steps: ` +
      models.map(({ model }) =>
        `${model} ${named(model).map(({ steps, quality }) => `${plain(quality)} at ${steps}`).join(", ")}`
      ).join("; ") + ".",
  });
}

/** The points of a metric, and the models in the comparison's order with their colours. */
function qualityOf({ summary }: Summarised, asked: QualityPlotOptions["metric"]) {
  const known: readonly (readonly [string, { title: string; better: "more" | "less" }, Reader])[] = [
    ...Object.entries(metrics).map(([name, words]) =>
      [
        name,
        words,
        ({ quality }: ComparedSummary) => Object.entries(quality).find(([key]) => key === name)?.[1]?.median,
      ] as const
    ),
    ["frechet", { title: "Fréchet distance", better: "less" }, ({ frechet }) => frechet?.value],
    ["diversity", { title: "diversity over seeds", better: "more" }, ({ diversity }) => diversity?.value],
  ];
  const measured = known.filter(([, , read]) => summary.some((row) => Number.isFinite(read(row))));
  const found = asked === undefined ? measured[0] : measured.find(([name]) => name === asked);
  if (found === undefined) {
    throw new RangeError(
      `Cannot plot ${asked ?? "quality"}: the comparison has ${
        measured.length === 0 ? "no metric" : `only ${measured.map(([name]) => name).join(", ")}`
      }. Ask for it in compare({ quality }).`,
    );
  }
  const [metric, { title, better }, read] = found;
  const points = summary.flatMap((row): Point[] => {
    const quality = read(row);
    if (quality === undefined || !Number.isFinite(quality)) return [];
    return [{ model: row.model, steps: row.steps, seconds: row.seconds.total.median, quality }];
  });
  // A model keeps its colour in every plot of a comparison, also where another has no value of the metric.
  const models = [...new Set(summary.map(({ model }) => model))]
    .map((model, index) => ({ model, ...seriesStyle(index) }))
    .filter(({ model }) => points.some((point) => point.model === model));
  return { metric, title, better, points, models };
}

type Reader = (row: ComparedSummary) => number | undefined;

/** What every plot passes on: heading, notes, provenance. */
export function shared({ heading, notes }: PlotOptions, runs: Summarised) {
  return { heading, notes, provenance: () => runs.provenance?.() };
}

const bySteps = (a: Point, b: Point) => a.steps - b.steps;

const axisLabel = (title: string, better: "more" | "less") => `↑ ${title}, ${better} is better`;

/** As few digits as tell it: 0.5, 13.2, 50. */
export function plain(value: number): string {
  return formatNumber(Number(value.toPrecision(3)), Math.min(decimalsFor(value, 3), decimalsOf(value)));
}

const decimalsOf = (value: number) => String(Number(value.toPrecision(3))).split(".")[1]?.length ?? 0;
