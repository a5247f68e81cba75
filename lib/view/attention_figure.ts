/** Which places of the picture attend to which word, step by step. */

import type { Step } from "../model/step.ts";
import { observedOf, tokenMap, type WordMapOptions } from "./attention.ts";
import { Figure } from "./figure.ts";
import { ember, overlay, overlayScale, type Plane, ramp } from "./heat.ts";
import { fittedNote, formatSigma, look, type Looked, type LookOptions, stepTitle } from "./items.ts";
import type { Raster } from "./raster.ts";
import { loadSharp } from "./picture.ts";
import { shortName } from "./self_attention.ts";
import { layOut, notFiniteNote } from "./sheet.ts";

/** Which attention is drawn, over what. */
export interface AttentionOptions extends WordMapOptions, LookOptions {
  /** Words of the prompt to draw, as the tokenizer spells them. Default: all but punctuation. */
  readonly words?: readonly string[];
  /**
   * What full colour stands for. "word" (default): the most that any place at any step gives to this word, so that
   * faint words show their places too. "figure": the most that any word gets, so that words compare.
   */
  readonly scale?: "word" | "figure";
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a picture's longer side. Default 128. */
  readonly cell?: number;
}

/** A word and its place among the 77 tokens; tokens that are no words of the prompt have names in angle brackets. */
interface Row {
  readonly text: string;
  readonly positions: readonly number[];
}

/**
 * Attention to the words of the prompt, laid over x0: a row a word, a column a step.
 *
 * @param steps of runs that were given `{ observe: model.observe(["*.attn2"]) }`
 * @throws RangeError when nothing was observed, or a word is not in the prompt
 */
export function attention(steps: readonly Step[], options: AttentionOptions = {}): Figure {
  const rows = rowsFor(steps, options.words);
  return new Figure(async () => {
    const { scale = "word", cell = 128, heading, picture = 0 } = options;
    const looked: Looked[] = [];
    for (const step of steps) looked.push(await look(step, options)); // a decoder runs one at a time
    const pictures = await Promise.all(looked.map(({ rasters }) => shrunk(rasters[picture], 2 * cell)));
    const maps = rows.map(({ positions }) => steps.map((step) => tokenMap(step, positions, options)));
    const most = maps.map((row) => Math.max(...row.map(peak)));
    const limits = scale === "word" ? most : most.map(() => Math.max(...most));
    const cells = maps.map((row, word) =>
      row.map((map, column) => ({
        raster: overlay(pictures[column], map, { colors: ember, range: [0, limits[word]] }),
        scaling: looked[column].scaling,
        caption: `at most ${percent(peak(map))}`,
      }))
    );
    return layOut({
      rows: cells,
      rowTitles: rows.map(({ text }) => text),
      columnTitles: steps.map((step) => `${stepTitle(step)}, σ ${formatSigma(step.sigma)}`),
      heading,
      ramp: ramp(overlayScale(ember), "0", scale === "word" ? "its row's most" : percent(Math.max(...most))),
      notes: [
        "Coloured: the share of a place's attention that goes to the word.",
        layersNote(steps, options),
        ...fittedNote(looked),
        ...notFiniteNote(cells.flat()),
      ],
      cell,
      alt: `${heading ? `${heading}: ` : ""}attention to ${rows.map(({ text }) => text).join(", ")} over x0 at ` +
        `${steps.length} steps; at most, by word: ` +
        rows.map(({ text }, word) => `${text} ${percent(most[word])}`).join(", "),
    });
  });
}

function rowsFor(steps: readonly Step[], wanted: readonly string[] | undefined): readonly Row[] {
  if (steps.length === 0) throw new RangeError("Cannot draw attention over no steps: at least one was wanted.");
  const { words } = observedOf(steps[0]);
  for (const step of steps) {
    const others = observedOf(step).words;
    if (others.length !== words.length || others.some(({ text }, index) => text !== words[index].text)) {
      throw new RangeError(
        `Cannot draw steps of two prompts as one figure: ${steps[0].request.prompt}; ${step.request.prompt}.`,
      );
    }
  }
  const end = 1 + Math.max(0, ...words.flatMap(({ positions }) => positions));
  const all: readonly Row[] = [{ text: "<start>", positions: [0] }, ...words, { text: "<end>", positions: [end] }];
  if (wanted === undefined) return words.filter(({ text }) => /[\p{L}\p{N}]/u.test(text));
  return wanted.flatMap((text) => {
    const found = all.filter((word) => word.text === text.toLowerCase());
    if (found.length > 0) return found;
    throw new RangeError(
      `Cannot draw attention to "${text}": it is no word of the prompt. It has ${
        all.map(({ text }) => text).join(", ")
      }.`,
    );
  });
}

function layersNote([step]: readonly Step[], { layers }: AttentionOptions): string {
  const observed = [...observedOf(step).attention.values()].filter(({ of }) => of === "text").map(({ layer }) => layer);
  const used = layers ?? observed;
  const [first] = used;
  return used.length === 1
    ? `Layer ${shortName(first)}, mean over its heads.`
    : `Mean over ${used.length} layers and their heads.`;
}

/** 12 %, 0.8 % */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0)} %`;
}

/** The largest finite value, 0 at least. */
export const peak = ({ values }: Plane): number =>
  values.reduce((most, value) => Number.isFinite(value) ? Math.max(most, value) : most, 0);

/** A picture no larger than what is drawn of it. */
async function shrunk(raster: Raster, most: number): Promise<Raster> {
  if (Math.max(raster.width, raster.height) <= most) return raster;
  const sharp = await loadSharp();
  const { data, info } = await sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: 3 } })
    .resize({ width: most, height: most, fit: "inside" }).raw().toBuffer({ resolveWithObject: true });
  return { ...raster, width: info.width, height: info.height, data: new Uint8Array(data) };
}
