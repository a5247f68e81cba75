/** The results of a comparison in rows and columns: which picture stands where, and what it is called. */

import type { Provenance } from "../model/provenance.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** One picture of a comparison, labelled. Seconds and bytes as `compare` measures them. */
export interface ComparedCell {
  /** Its name in the comparison. */
  readonly model: string;
  /** The recipe without its number of steps. */
  readonly family: string;
  /** The recipe that it ran by. */
  readonly recipe: string;
  /** Denoising steps. */
  readonly steps: number;
  /** The sampler that took them. */
  readonly sampler: string;
  /** The guidance scale; 0 ran the prompt alone. */
  readonly guidance: number;
  /** The prompt's short name, or the prompt. */
  readonly promptName: string;
  /** The whole prompt. */
  readonly prompt: string;
  /** Decimal text: seeds have 64 bits. */
  readonly seed: string;
  /** Text, steps and decoding. */
  readonly secondsTotal: number;
  /** Bytes. */
  readonly memoryPeak: number;
  /** 100 · cosine of picture and prompt in CLIP's space, where it was measured. */
  readonly promptScore?: number;
}

/** A comparison's results as views need them: what `compare` gives. */
export interface Compared<Cell extends ComparedCell = ComparedCell> {
  /** One a picture. */
  readonly cells: readonly Cell[];
  /** `[1, 3, height, width]` in 0..1 */
  picture(cell: Cell): Promise<Tensor>;
  /** What made the cells. Left out: figures of them carry nothing. */
  provenance?(): Promise<Provenance>;
}

/**
 * What may stand at a side of a grid or under a picture. "prompt" is its short name, "text" the whole. Numbers are not
 * parted from their units at the end of a line.
 */
const labels: Readonly<Record<Label, (cell: ComparedCell) => string>> = {
  prompt: ({ promptName }) => promptName,
  text: ({ prompt }) => prompt,
  model: ({ model }) => model,
  family: ({ family }) => family,
  recipe: ({ recipe }) => recipe,
  steps: ({ steps }) => steps === 1 ? "1\u00a0step" : `${steps}\u00a0steps`,
  sampler: ({ sampler }) => sampler,
  guidance: ({ guidance }) => `guidance\u00a0${guidance}`,
  seed: ({ seed }) => `seed\u00a0${seed}`,
  seconds: ({ secondsTotal }) => `${Number(secondsTotal.toPrecision(2))}\u00a0s`,
  score: ({ promptScore }) => promptScore === undefined ? "" : `score\u00a0${promptScore.toFixed(1)}`,
};

/** What tells cells apart, or stands under them. */
export type Label =
  | "prompt"
  | "text"
  | "model"
  | "family"
  | "recipe"
  | "steps"
  | "sampler"
  | "guidance"
  | "seed"
  | "seconds"
  | "score";

/** What tells rows and columns apart. */
export interface ArrangeOptions {
  /** What tells the rows apart. Default "prompt". */
  readonly rows?: Label | readonly Label[];
  /** What tells the columns apart. Default model and steps. */
  readonly columns?: Label | readonly Label[];
  /** Lines under each picture. Default: the seed, where rows and columns don't tell it. */
  readonly captions?: readonly (Label | readonly Label[])[];
}

export interface Arrangement<Cell> {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** In rows; `undefined` where the comparison has no such picture. */
  readonly cells: readonly (readonly (Cell | undefined)[])[];
  readonly captions: readonly (readonly (string | undefined)[])[];
  /** Says how many pictures found no place of their own. */
  readonly notes: readonly string[];
}

/**
 * Rows and columns in the order in which the comparison has them.
 * @throws RangeError for a comparison without cells
 */
export function arrange<Cell extends ComparedCell>(
  cells: readonly Cell[],
  { rows = "prompt", columns = ["model", "steps"], captions }: ArrangeOptions = {},
): Arrangement<Cell> {
  if (cells.length === 0) throw new RangeError("Cannot arrange a comparison: it has no pictures.");
  const [down, across] = [listOf(rows), listOf(columns)];
  const sides = new Set([...down, ...across]);
  const under = captions ?? (sides.has("seed") ? [] : ["seed"] as const);
  const rowKeys = distinct(cells, down);
  const columnKeys = distinct(cells, across);
  const places = new Map<string, Cell>();
  let left = 0;
  for (const cell of cells) {
    const place = JSON.stringify([labelOf(cell, down), labelOf(cell, across)]);
    if (places.has(place)) left++;
    else places.set(place, cell);
  }
  const grid = rowKeys.map((row) => columnKeys.map((column) => places.get(JSON.stringify([row, column]))));
  const caption = (cell: Cell) => under.map((line) => labelOf(cell, listOf(line), " · ")).join("\n");
  return {
    rows: rowKeys,
    columns: columnKeys,
    cells: grid,
    captions: grid.map((row) => row.map((cell) => cell && caption(cell))),
    notes: left === 0
      ? []
      : [`Where several pictures share a place, the first is shown: ${left} of ${cells.length} are not.`],
  };
}

const listOf = <T extends string>(one: T | readonly T[]): readonly T[] => typeof one === "string" ? [one] : one;

/** What a cell is called by these. */
export const labelOf = (cell: ComparedCell, names: readonly Label[], between = "\n") =>
  names.map((name) => labels[name](cell)).filter((label) => label !== "").join(between);

function distinct(cells: readonly ComparedCell[], names: readonly Label[]): string[] {
  return [...new Set(cells.map((cell) => labelOf(cell, names)))];
}
