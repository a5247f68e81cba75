/** Words beside points, each where it covers neither another nor a point. */

import { chartSize, type Scales } from "./chart.ts";
import type { PlacedShape, PlacedText } from "./drawing.ts";
import { Pen } from "./text.ts";

export interface LabelledPoint {
  readonly x: number;
  readonly y: number;
  /** CSS pixels that the point itself covers. */
  readonly radius: number;
  readonly text: string;
  readonly size: number;
  readonly weight?: 400 | 600;
  readonly color?: string;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface PlacedLabel {
  readonly text: string;
  /** Left end of the baseline. */
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly weight?: 400 | 600;
  readonly color?: string;
  readonly box: Box;
}

/** Where a label may stand, the best first: right, left, above, below, the corners. */
const directions = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [1, 1], [-1, -1], [-1, 1]] as const;
/** How far out, in steps of the label's height, before a label may cover something. */
const rings = [0, 0.8, 1.6, 2.6];

/**
 * Places labels in their order, so the important ones come first. Each takes the nearest free place about its point
 * inside of `bounds`; where none is free, the one that covers the least.
 * @param obstacles what may not be covered, beside the points and the labels themselves
 */
export function placeLabels(
  labels: readonly LabelledPoint[],
  bounds: Box,
  obstacles: readonly Box[] = [],
): PlacedLabel[] {
  const taken: Box[] = [
    ...obstacles,
    ...labels.map(({ x, y, radius }) => ({ left: x - radius, top: y - radius, right: x + radius, bottom: y + radius })),
  ];
  return labels.map(({ x, y, radius, text, size, weight, color }) => {
    const width = new Pen(weight).width(text, size);
    const height = size * 1.1;
    const candidates = rings.flatMap((ring, far) =>
      directions.map(([across, down], rank) => {
        const gap = radius + 3 + ring * height;
        const left = across === 0 ? x - width / 2 : across > 0 ? x + gap : x - gap - width;
        const middle = y + down * (across === 0 ? gap + height / 2 : radius + height / 2 + ring * height);
        const box = { left, top: middle - height / 2, right: left + width, bottom: middle + height / 2 };
        return { box, cost: far * 10 + rank };
      })
    );
    const best = candidates.map(({ box, cost }) => ({
      box,
      cost: cost + 1000 * outside(box, bounds) + 10 * taken.reduce((sum, other) => sum + overlap(box, other), 0),
    })).reduce((a, b) => b.cost < a.cost ? b : a);
    taken.push(best.box);
    return { text, x: best.box.left, y: best.box.bottom - 0.28 * size, size, weight, color, box: best.box };
  });
}

/** Boxes along lines from point to point, so that labels keep clear of them. */
export function alongLines(points: readonly { readonly x: number; readonly y: number }[]): Box[] {
  return points.slice(1).flatMap((to, index) => {
    const from = points[index];
    const count = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / 4);
    return Array.from({ length: count + 1 }, (_, at) => {
      const [x, y] = [from.x + (to.x - from.x) * at / count, from.y + (to.y - from.y) * at / count];
      return { left: x - 2, top: y - 2, right: x + 2, bottom: y + 2 };
    });
  });
}

/** Square pixels that two boxes share. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

function outside(box: Box, bounds: Box): number {
  return Math.max(0, bounds.left - box.left) + Math.max(0, box.right - bounds.right) +
    Math.max(0, bounds.top - box.top) + Math.max(0, box.bottom - bounds.bottom);
}

/** A line's name, and where the line ends. */
export interface NamedEnd {
  readonly name: string;
  /** Of the line. */
  readonly color: string;
  /** Of the name. */
  readonly words: string;
  readonly x: number;
  readonly y: number;
}

/**
 * Names right of a plot, level with their lines' ends and moved apart where they would touch, each led to by dots.
 *
 * @param gap CSS pixels between the plot and the names
 */
export function namesAtEnds(
  ends: readonly NamedEnd[],
  { top, bottom, right }: Scales,
  gap: number,
): { readonly texts: PlacedText[]; readonly shapes: PlacedShape[] } {
  const apart = spreadOut(ends.map(({ y }) => y), chartSize.words * 1.25, [top, bottom]);
  const x = right + gap;
  return {
    texts: ends.map(({ name, words }, index) => ({
      text: name,
      x,
      y: apart[index] + 0.35 * chartSize.words,
      size: chartSize.words,
      weight: 600,
      color: words,
    })),
    shapes: ends.map((end, index) => ({
      path: `M${end.x + 7} ${end.y}L${x - 3} ${apart[index]}`,
      stroke: end.color,
      strokeWidth: 1,
      dash: [1, 3],
    })),
  };
}

/** Heights moved apart to at least `gap`, as little as may be, in their order and within the bounds where they fit. */
export function spreadOut(heights: readonly number[], gap: number, [top, bottom]: readonly [number, number]): number[] {
  const order = heights.map((_, index) => index).sort((a, b) => heights[a] - heights[b]);
  const out = [...heights];
  // Neighbours that are too close push each other apart by half each, until none are.
  for (let round = 0; round < 200; round++) {
    let moved = false;
    for (let i = 1; i < order.length; i++) {
      const [above, below] = [order[i - 1], order[i]];
      const missing = gap - (out[below] - out[above]);
      if (missing <= 1e-3) continue;
      out[above] -= missing / 2;
      out[below] += missing / 2;
      moved = true;
    }
    const [first, last] = [order[0], order[order.length - 1]];
    if (first !== undefined && out[first] < top) [out[first], moved] = [top, true];
    if (last !== undefined && out[last] > bottom) [out[last], moved] = [bottom, true];
    if (!moved) break;
  }
  return out;
}
