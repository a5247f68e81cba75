/** A block's feature maps as tiles: what its channels respond to, and where. */

import type { Step } from "../model/step.ts";
import { Tensor } from "../tensor/tensor.ts";
import { observedOf } from "./attention.ts";
import { Figure } from "./figure.ts";
import { beyondNote, diverging, type Heat, heat, ramp } from "./heat.ts";
import { formatSigma, stepTitle } from "./items.ts";
import { layOut, notFiniteNote } from "./sheet.ts";

/** Which features are drawn. */
export interface FeaturesOptions {
  /** A block that was observed. Default: the first. */
  readonly layer?: string;
  /** Channels to draw: their numbers, or how many of those that vary the most over places. Default 16. */
  readonly channels?: number | readonly number[];
  /** Which picture of the batch. Default 0. */
  readonly picture?: number;
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a tile's longer side. Default 96. */
  readonly cell?: number;
}

/** Tiles of a row. */
const perRow = 8;

/** Share of the values within the scale: a few outliers would leave the rest white. They are marked. */
const within = 0.995;

/**
 * Feature maps of a block: a tile a channel, each less its mean over places, with one scale; blue below, red above.
 *
 * @param step of a run that was given `{ observe: model.observe(["mid_block"]) }`
 * @throws RangeError when the block was not observed, or has no such channel
 */
export function features(step: Step, options: FeaturesOptions = {}): Figure {
  const observed = observedOf(step).features;
  const layer = options.layer ?? observed.keys().next().value;
  const map = layer === undefined ? undefined : observed.get(layer);
  if (layer === undefined || map === undefined) {
    throw new RangeError(
      `Cannot draw the features of ${layer ?? "a block"}: observed were ${
        [...observed.keys()].join(", ") || "none"
      }. ` +
        `Give the run { observe: model.observe(["mid_block"]) }.`,
    );
  }
  const [, count] = map.values.shape;
  const { channels = 16 } = options;
  const missing = typeof channels === "number"
    ? undefined
    : channels.find((channel) => channel < 0 || channel >= count);
  if (missing !== undefined) {
    throw new RangeError(`Cannot draw channel ${missing} of ${layer}: it has 0 to ${count - 1}.`);
  }
  return new Figure(() => {
    const { heading = `${layer}, ${stepTitle(step)}, σ ${formatSigma(step.sigma)}`, cell = 96, picture = 0 } = options;
    const planes = centredPlanes(map.values.at(picture));
    const chosen = typeof channels === "number" ? mostVaried(planes, channels) : channels;
    const limit = quantile(chosen.flatMap((channel) => [...planes[channel].values]), within);
    const cells = chosen.map((channel) => {
      const drawn: Heat = heat(planes[channel], { colors: diverging, range: [-limit, limit] });
      return { drawn, raster: drawn.raster, scaling: "hard" as const, caption: `channel ${channel}` };
    });
    const rows = Array.from(
      { length: Math.ceil(cells.length / perRow) },
      (_, row) => cells.slice(row * perRow, (row + 1) * perRow),
    );
    const which = typeof channels === "number"
      ? `The ${chosen.length} of ${count} channels that vary the most over places.`
      : `${chosen.length} of ${count} channels.`;
    return layOut({
      rows,
      heading,
      ramp: ramp(diverging, `−${limit.toPrecision(3)}`, limit.toPrecision(3)),
      notes: [
        "Coloured: the value, less its channel's mean.",
        which,
        ...beyondNote(cells.map(({ drawn }) => drawn)),
        ...notFiniteNote(cells),
      ],
      cell,
      alt: `${heading}: heat maps of channels ${chosen.join(", ")}`,
    });
  });
}

interface Channel {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
  /** Of the finite values. */
  readonly variance: number;
}

function centredPlanes(maps: Tensor): Channel[] {
  const [count, height, width] = maps.shape;
  return Array.from({ length: count }, (_, channel) => {
    const { data } = maps.at(channel);
    const finite = data.filter(Number.isFinite);
    const mean = finite.reduce((sum, value) => sum + value, 0) / (finite.length || 1);
    const variance = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (finite.length || 1);
    return { width, height, values: data.map((value) => value - mean), variance };
  });
}

function mostVaried(planes: readonly Channel[], count: number): number[] {
  return planes.map(({ variance }, channel) => ({ variance, channel }))
    .sort((a, b) => b.variance - a.variance).slice(0, count).map(({ channel }) => channel);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = Float32Array.from(values.filter(Number.isFinite), Math.abs).sort();
  return sorted[Math.round(share * (sorted.length - 1))] || 1;
}
