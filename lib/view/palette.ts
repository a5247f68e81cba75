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

/** In the order in which series take them: neighbours are the farthest apart. */
export const seriesColors: readonly string[] = [
  palette.blue,
  palette.vermilion,
  palette.green,
  palette.purple,
  palette.orange,
  palette.sky,
  palette.black,
];

/** For words and lines that stand back. */
export const quiet = { words: "#5a5a5a", lines: "#8a8a8a", grid: "#e4e4e4" } as const;
