/** A colour bar under a figure: what a colour stands for. */

import type { Drawing } from "./figure.ts";
import type { ColorScale } from "./heat.ts";
import { Pen } from "./text.ts";

export interface Legend {
  readonly colors: ColorScale;
  /** What the first colour stands for, and the last. */
  readonly low: string;
  readonly high: string;
  /** What is coloured. */
  readonly label: string;
}

/** CSS pixels. */
const bar = { width: 160, height: 10 };
const size = 11.5;
const gap = 6;
const margin = 12;

/** The drawing with a colour bar below it: label, low end, bar, high end. */
export function withLegend(drawing: Drawing, { colors, low, high, label }: Legend): Drawing {
  const pen = new Pen(400);
  const y = drawing.height - margin + 10;
  const data = new Uint8Array(3 * bar.width);
  for (let x = 0; x < bar.width; x++) data.set(colors(x / (bar.width - 1)).map(Math.round), 3 * x);
  const style = { size, color: "#5a5a5a" };
  const texts = [];
  let [x, baseline] = [margin, y + bar.height - 0.5];
  texts.push({ text: label, x, y: baseline, ...style });
  const ends = pen.width(low, size) + pen.width(high, size) + bar.width + 2 * gap;
  x += pen.width(label, size) + 2 * gap;
  let below = 0;
  if (x + ends + margin > drawing.width) { // no room beside the label
    [x, below] = [margin, size * 1.5];
    baseline += below;
  }
  texts.push({ text: low, x, y: baseline, ...style });
  x += pen.width(low, size) + gap;
  const picture = {
    raster: { width: bar.width, height: 1, data, notFinite: 0 },
    x,
    y: y + below,
    ...bar,
    scaling: "hard" as const,
  };
  x += bar.width + gap;
  texts.push({ text: high, x, y: baseline, ...style });
  const right = x + pen.width(high, size) + margin;
  return {
    ...drawing,
    width: Math.ceil(Math.max(drawing.width, right, margin * 2 + pen.width(label, size))),
    height: Math.ceil(y + below + bar.height + margin),
    pictures: [...drawing.pictures, picture],
    texts: [...drawing.texts, ...texts],
  };
}
