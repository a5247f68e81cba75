/** The way that runs take from noise to picture, in numbers and as a plot: why distilled models need few steps. */

import { inSpace, samplers } from "../diffusion/mod.ts";
import type { Step } from "../model/step.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { beside } from "./beside.ts";
import type { Figure } from "./figure.ts";
import { lines } from "./lines.ts";
import { plain } from "./plots.ts";

/** One step of a run. A row of a table. */
export interface TrajectoryPoint {
  /** Its number in the run, from 1. */
  readonly step: number;
  /** The noise level at which the network looked. */
  readonly sigma: number;
  /** ‖x0 − x0′‖ / ‖x0′‖, x0′ being the run's last guess: how much of the picture is still to come. */
  readonly distance: number;
  /** ‖x‖ / √n of the x0 guess: near 1 for latents in the model's own scale. */
  readonly norm: number;
  /**
   * Degrees between this step's predicted noise (x_t − x0)/σ and the one before: 0 on a straight path, which one step
   * could have gone (Liu et al. 2022, arXiv 2209.03003). Undefined at the first step.
   */
  readonly angle: number | undefined;
}

/**
 * A run's way, a point a step. Of a batch, the first picture.
 *
 * @param step the last of a run; its `path` is read
 * @throws RangeError when the run has taken no step
 */
export function trajectoryOf(step: Step): TrajectoryPoint[] {
  const taken = step.path.filter(({ index }) => index > 0);
  if (taken.length === 0) {
    throw new RangeError("Cannot follow a run that has taken no step: model.next(step) takes one.");
  }
  const final = step.denoised.at(0);
  let before: Tensor | undefined;
  return taken.map((one) => {
    const x0 = one.denoised.at(0);
    const direction = predictedNoise(one);
    const angle = before && degreesBetween(before, direction);
    before = direction;
    return {
      step: one.index,
      sigma: one.sigma,
      distance: length(x0.minus(final)) / length(final),
      norm: length(x0) / Math.sqrt(x0.data.length),
      angle,
    };
  });
}

/** What stands around the plot. */
export interface TrajectoryOptions {
  /** Over the whole. */
  readonly heading?: string;
  /** Under the whole, a sentence each. */
  readonly notes?: readonly string[];
}

/**
 * Distance to the final x0, its norm, and the angle between successive predictions, over the noise level; a line a run.
 *
 * @param runs the last step of each, by the name that it has in the plot
 */
export function trajectory(runs: Readonly<Record<string, Step>>, { heading, notes }: TrajectoryOptions = {}): Figure {
  const named = Object.entries(runs).map(([name, step]) => ({ name, points: trajectoryOf(step) }));
  const broken =
    named.flatMap(({ points }) => points).filter(({ distance, norm, angle = 0 }) =>
      ![distance, norm, angle].every(Number.isFinite)
    ).length;
  if (named.length === 0) throw new RangeError("Cannot plot the way of no runs: at least one was wanted.");
  const panel = (
    title: string,
    yLabel: string,
    read: (point: TrajectoryPoint) => number | undefined,
    y: "linear" | "linear-from-0",
    more: readonly string[],
  ) => {
    const series = named.map(({ name, points }, color) => ({
      name,
      color,
      points: points.flatMap((point) => {
        const value = read(point);
        return value === undefined || !Number.isFinite(value) ? [] : [{ x: point.sigma, y: value }];
      }),
    }));
    if (series.every(({ points }) => points.length === 0)) return undefined;
    return lines(series, {
      heading: title,
      xLabel: "noise level σ, falling as the run goes →",
      yLabel,
      x: "log-falling",
      y,
      notes: more,
      alt: `${yLabel}: ${
        series.map(({ name, points }) => `${name} ${points.map(({ y }) => plain(y)).join(", ")}`).join("; ")
      }`,
    });
  };
  const panels = [
    panel(
      heading ?? "Distance to the end",
      "‖x0 − final x0‖ / ‖final x0‖",
      ({ distance }) => distance,
      "linear-from-0",
      [...notes ?? [], ...broken === 0 ? [] : [`${broken} steps hold NaN or infinity, or lead there: not drawn.`]],
    ),
    panel("Norm of x0", "‖x0‖ / √n", ({ norm }) => norm, "linear", []),
    panel("Turns", "degrees between successive predicted noises", ({ angle }) => angle, "linear-from-0", []),
  ];
  const drawn = panels.filter((one) => one !== undefined);
  if (drawn.length === 0) throw new RangeError("Cannot plot the way of these runs: every step holds NaN or infinity.");
  return beside(drawn);
}

/** (x_t − x0)/σ of the latent that the network was shown, in the space where x_t = x0 + σ·noise. */
function predictedNoise(step: Step): Tensor {
  const from = step.previous;
  if (from === undefined) throw new RangeError(`Cannot follow step ${step.index}: the step before it is not known.`);
  const { space } = samplers[step.trajectory.sampler];
  const x = inSpace(from.latent, space, "exploding", step.sigma).at(0);
  return x.minus(step.denoised.at(0)).times(1 / step.sigma);
}

function length({ data }: Tensor): number {
  return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
}

function degreesBetween(a: Tensor, b: Tensor): number {
  const dot = a.data.reduce((sum, value, index) => sum + value * b.data[index], 0);
  return Math.acos(Math.min(1, Math.max(-1, dot / (length(a) * length(b))))) * 180 / Math.PI;
}
