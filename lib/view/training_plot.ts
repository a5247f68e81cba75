/** What a training recorded, as a plot: how losses went. */

import type { TrainingStage } from "../measure/training.ts";
import type { Figure } from "./figure.ts";
import { lines } from "./lines.ts";
import { plain, type PlotOptions } from "./plots.ts";

/** How losses are drawn. */
export interface TrainingPlotOptions extends PlotOptions {
  /** The recorded value: "mse", "heads". Default: the first that the first stage has. */
  readonly of?: string;
  /** "log" (default) for losses, "linear" for shares such as "told_apart". */
  readonly scale?: "log" | "linear";
  /** Beside the value's axis. Default: the value's name. */
  readonly yLabel?: string;
}

/**
 * A recorded value over the steps of training, a line a stage. Stages without it are left out.
 *
 * @throws RangeError when no stage recorded it
 */
export function trainingPlot(stages: readonly TrainingStage[], options: TrainingPlotOptions = {}): Figure {
  const recorded = [...new Set(stages.flatMap(({ entries }) => entries.flatMap(({ values }) => Object.keys(values))))];
  const { of = recorded[0], scale = "log", yLabel = of, ...rest } = options;
  const drawable = (value: number | undefined) => value !== undefined && (scale === "linear" || value > 0);
  const series = stages.map(({ stage, entries }) => ({
    name: stage,
    marks: "none" as const,
    points: entries.flatMap(({ step, values }) => drawable(values[of]) ? [{ x: step, y: values[of] }] : []),
  })).filter(({ points }) => points.length > 0);
  if (series.length === 0) {
    throw new RangeError(
      recorded.length === 0
        ? "Cannot plot a training: nothing was recorded."
        : `Cannot plot ${of} of a training: no stage recorded it. Recorded: ${recorded.join(", ")}.`,
    );
  }
  return lines(series, {
    width: 640,
    height: 340,
    ...rest,
    xLabel: "steps of training →",
    yLabel: `↑ ${yLabel}`,
    y: scale,
    alt: `${options.heading ? `${options.heading}. ` : ""}${yLabel} over training: ` +
      series.map(({ name, points }) => `${name} from ${plain(points[0].y)} to ${plain(points[points.length - 1].y)}`)
        .join("; ") +
      ".",
  });
}
