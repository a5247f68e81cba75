/**
 * Colours that stay apart for colour-blind readers and in print: Okabe and Ito's ("Color Universal Design", 2008),
 * without their yellow, which is too pale for lines and words on white.
 */
export const palette = {
  blue: "#0072b2",
  orange: "#e69f00",
  green: "#009e73",
  vermilion: "#d55e00",
  purple: "#cc79a7",
  sky: "#56b4e9",
  black: "#1c1c1c",
} as const;

/** How a series is told from the others: colour, and a symbol for those who print in grey. */
export interface SeriesStyle {
  readonly color: string;
  /** The colour darkened until words in it read well on white: contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3). */
  readonly words: string;
  readonly symbol: "circle" | "square" | "triangle" | "diamond" | "star" | "wye" | "cross";
  /** Of its line, as SVG writes it; missing on a whole line. */
  readonly dash?: string;
}

/** In the order in which series take them: neighbours are far apart. */
const seriesStyles: readonly SeriesStyle[] = [
  { color: palette.blue, words: "#0072b2", symbol: "circle" },
  { color: palette.vermilion, words: "#b84f00", symbol: "square" },
  { color: palette.green, words: "#007d5b", symbol: "triangle" },
  { color: palette.purple, words: "#a8497f", symbol: "diamond" },
  { color: palette.orange, words: "#8a5f00", symbol: "star" },
  { color: palette.sky, words: "#1b76ad", symbol: "wye" },
  { color: palette.black, words: "#1c1c1c", symbol: "cross" },
];

/**
 * The look of a series by its place, from 0. After seven the colours come again, each with another symbol and a dotted
 * line: more colours than seven are not told apart.
 */
export function seriesStyle(index: number): SeriesStyle {
  const count = seriesStyles.length;
  const round = Math.floor(index / count);
  const { symbol } = seriesStyles[(index + round) % count];
  return { ...seriesStyles[index % count], symbol, ...(round > 0 && { dash: "2 3" }) };
}

/** For words and lines that stand back. */
export const quiet = { words: "#5a5a5a", lines: "#8a8a8a", grid: "#e4e4e4" } as const;
