/** A profile as bars: which blocks take a step's time. */

import type { Profile } from "../model/profile.ts";
import type { ProfileBy } from "../measure/profile.ts";
import { chartSize } from "./chart.ts";
import { type PlacedShape, type PlacedText, rectangle } from "./drawing.ts";
import { Figure } from "./figure.ts";
import { quiet, seriesStyle } from "./palette.ts";
import { formatBytes, formatMilliseconds } from "./step.ts";
import { Pen } from "./text.ts";

/** How a profile is drawn. */
export interface ProfileFigureOptions {
  /** One network; default "unet". */
  readonly part?: string;
  /** Default "block". */
  readonly by?: ProfileBy;
  /** Over the whole. */
  readonly heading?: string;
}

/** CSS pixels. */
const bar = { height: 13, pitch: 19, most: 260 };
const margin = 12;

/** A bar a block, in the network's order, with its time, its share and its weights. */
export function profileFigure(profile: Profile, options: ProfileFigureOptions = {}): Figure {
  const { part = "unet", by = "block" } = options;
  const rows = profile.rows(by, part);
  return new Figure(() => {
    const heading = options.heading ?? `Where the ${part}'s time goes`;
    const pen = new Pen(400);
    const size = chartSize.words;
    const names = Math.ceil(Math.max(...rows.map(({ name }) => pen.width(name, size))));
    const most = Math.max(...rows.map(({ milliseconds }) => milliseconds));
    const [top, left] = [margin + chartSize.heading * 1.9, margin + names + 10];
    const words = rows.map(({ milliseconds, share, weights }) =>
      [
        formatMilliseconds(milliseconds),
        `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`,
        ...weights ? [`${formatSmall(weights)} of weights`] : [],
      ].join(" · ")
    );
    const shapes: PlacedShape[] = [];
    const texts: PlacedText[] = [{
      text: heading,
      x: margin,
      y: margin + chartSize.heading,
      size: chartSize.heading,
      weight: 600,
    }];
    rows.forEach(({ name, milliseconds }, index) => {
      const y = top + index * bar.pitch;
      const width = Math.max(1, bar.most * milliseconds / most);
      shapes.push({ path: rectangle(left, y, width, bar.height), fill: colorOf(name) });
      texts.push({ text: name, x: left - 10, y: y + bar.height - 2.5, size, anchor: "end" });
      texts.push({ text: words[index], x: left + width + 6, y: y + bar.height - 2.5, size: 11, color: quiet.words });
    });
    const noteAt = top + rows.length * bar.pitch + chartSize.note;
    texts.push({ text: legend, x: margin, y: noteAt, size: chartSize.note, color: quiet.words });
    const right = Math.max(
      margin + pen.width(legend, chartSize.note),
      ...rows.map(({ milliseconds }, index) => left + bar.most * milliseconds / most + 6 + pen.width(words[index], 11)),
    );
    const ranked = rows.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 3);
    return {
      width: Math.ceil(right + margin),
      height: Math.ceil(noteAt + margin),
      pictures: [],
      shapes,
      texts,
      alt: `${heading}; the most: ` +
        ranked.map(({ name, share }) => `${name} ${(100 * share).toFixed(0)} %`).join(", "),
    };
  });
}

const legend = "Orange: attention. Blue: convolutions. Green: the rest.";

/** Attention apart from convolutions, whatever the rows are put together by. */
function colorOf(name: string): string {
  const index = /attention/.test(name) ? 1 : /resnets|conv|samplers/i.test(name) ? 0 : 2;
  return seriesStyle(index).color;
}

function formatSmall(bytes: number): string {
  return bytes >= 1e6 ? formatBytes(bytes) : `${Math.ceil(bytes / 1e3)} kB`;
}
