/**
 * Plots as figures: Observable Plot makes scales, axes and marks on linkedom's DOM; the kit takes them over, writes
 * headings, notes and direct labels in its own fonts, and exports them like any other figure. They stand on white, so
 * they read the same in print and on dark pages.
 */

import { parseHTML } from "linkedom";
import * as Plot from "@observablehq/plot";
import { Figure, type FigureOptions } from "./figure.ts";
import type { PlacedShape, PlacedText } from "./drawing.ts";
import { quiet } from "./palette.ts";
import { marksOf, type SvgNode } from "./svg_drawing.ts";
import { Pen } from "./text.ts";

/** CSS pixels of words in plots. */
export const chartSize = { heading: 15, words: 12, note: 11.5 };

/** Where data stand in the finished plot, in CSS pixels. */
export interface Scales {
  x(value: number): number;
  y(value: number | string): number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface ChartOptions extends FigureOptions {
  readonly plot: Plot.PlotOptions;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly margin: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
  /** Over the plot, at its left. */
  readonly yLabel?: string;
  /** Under the plot, at its right. */
  readonly xLabel?: string;
  readonly heading?: string;
  readonly notes?: readonly string[];
  readonly alt: string;
  /** Words and lines on top of the marks. */
  readonly labels?: (
    scales: Scales,
  ) => { readonly texts: readonly PlacedText[]; readonly shapes?: readonly PlacedShape[] };
}

const margin = 12;
const line = 1.35;

export function chart(options: ChartOptions): Figure {
  return new Figure(() => {
    const { plot, width, height, margin: inner, labels, alt } = options;
    const { document } = parseHTML("<html></html>");
    const drawn = Plot.plot({
      ...plot,
      document,
      width,
      height,
      marginLeft: inner.left,
      marginRight: inner.right,
      marginTop: inner.top,
      marginBottom: inner.bottom,
    });
    const marks = marksOf(svgOf(drawn));
    const scales: Scales = {
      x: scaleOf(drawn.scale("x")),
      y: scaleOf(drawn.scale("y")),
      left: inner.left,
      right: width - inner.right,
      top: inner.top,
      bottom: height - inner.bottom,
    };
    const added = labels?.(scales) ?? { texts: [] };
    const head = lines(options.heading === undefined ? [] : [options.heading], chartSize.heading, 600, width);
    const notes = lines(options.notes ?? [], chartSize.note, 400, width);
    const down = head.length === 0 ? 0 : margin + head.length * chartSize.heading * line;
    const bottom = down + height;
    const lowered = <T extends { readonly y: number }>(items: readonly T[]) =>
      items.map((item) => ({ ...item, y: item.y + down }));
    return {
      width,
      height: Math.ceil(bottom + (notes.length === 0 ? 0 : notes.length * chartSize.note * line + margin)),
      pictures: [],
      shapes: [...marks.shapes, ...added.shapes ?? []].map((shape) => ({
        ...shape,
        offset: { x: shape.offset?.x ?? 0, y: (shape.offset?.y ?? 0) + down },
      })),
      texts: [
        ...head.map((text, index) => ({
          text,
          x: margin,
          y: margin + chartSize.heading * (1 + index * line),
          size: chartSize.heading,
          weight: 600 as const,
        })),
        ...lowered(axisLabels(options, scales)),
        ...lowered(marks.texts.map((text) => ({ ...text, size: chartSize.words * text.size / 10 }))),
        ...lowered(added.texts),
        ...notes.map((text, index) => ({
          text,
          x: margin,
          y: bottom + chartSize.note * (1 + index * line),
          size: chartSize.note,
          color: quiet.words,
        })),
      ],
      alt,
    };
  }, options);
}

function axisLabels({ xLabel, yLabel, height }: ChartOptions, { right }: Scales): PlacedText[] {
  const style = { size: chartSize.words, color: quiet.words };
  return [
    ...yLabel === undefined ? [] : [{ text: yLabel, x: margin, y: chartSize.words + 4, ...style }],
    ...xLabel === undefined ? [] : [{ text: xLabel, x: right, y: height - 8, anchor: "end" as const, ...style }],
  ];
}

function lines(texts: readonly string[], size: number, weight: 400 | 600, width: number): string[] {
  return texts.flatMap((text) => new Pen(weight).wrap(text, size, width - 2 * margin, 4));
}

/** Plot wraps its SVG where a title or legend is asked for, which the kit writes itself. */
function svgOf(drawn: SvgNode): SvgNode {
  if (drawn.localName !== "svg") {
    throw new TypeError(`Cannot take over a plot: it is a <${drawn.localName}>, no <svg>.`);
  }
  return drawn;
}

function scaleOf(scale: { readonly apply: (value: unknown) => unknown; readonly bandwidth?: number } | undefined) {
  return (value: unknown): number => {
    const place = Number(scale?.apply(value)) + (scale?.bandwidth ?? 0) / 2;
    if (!Number.isFinite(place)) throw new RangeError(`Cannot place ${value} in a plot: its scale has no such value.`);
    return place;
  };
}

/**
 * A logarithmic axis, for values that were passed through `log10`. Plot's own leaves out the words of some ticks.
 * @param ticks of the values themselves
 */
export function logAxis(values: readonly number[], share: number, ticks?: readonly number[]) {
  const [least, most] = [Math.min(...values) / (1 + share), Math.max(...values) * (1 + share)];
  return {
    domain: [log10(least), log10(most)],
    ticks: (ticks ?? logTicks(least, most)).map(log10),
  };
}

export const log10 = Math.log10;

/** 1, 2, 5 of each power of ten that lie between; more where that leaves one, the powers alone over more than three. */
function logTicks(least: number, most: number): number[] {
  const [first, last] = [Math.floor(log10(least)), Math.ceil(log10(most))];
  const powers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const between = (digits: readonly number[]) =>
    powers.flatMap((power) => digits.map((digit) => digit * 10 ** power))
      .filter((tick) => tick >= least && tick <= most);
  const ticks = between(last - first > 4 ? [1] : [1, 2, 5]);
  return ticks.length > 1 ? ticks : between([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]);
}

/** The least range of an axis, as a share of its values: what differs by less is drawn as nearly the same, as it is. */
const leastRange = 0.05;

/** Least and most of the values with a share of their range as room on both sides. */
export function withRoom(values: readonly number[], share: number): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const range = Math.max(most - least, leastRange * Math.max(Math.abs(least), Math.abs(most))) || 1;
  const room = range * (0.5 + share);
  return [(least + most) / 2 - room, (least + most) / 2 + room];
}
