/** How self-attention divides the picture: places that attend alike get like colours. */

import type { AttentionMap } from "../model/observed.ts";
import type { Step } from "../model/step.ts";
import { observedOf } from "./attention.ts";
import { Figure } from "./figure.ts";
import { formatSigma, stepTitle } from "./items.ts";
import { principalComponents } from "./principal.ts";
import { brokenColor, type Raster } from "./raster.ts";
import { layOut, notFiniteNote } from "./sheet.ts";

/** Which self-attention is drawn. */
export interface SelfAttentionOptions {
  /** Self-attentions that were observed. Default: the first of those with the most places. */
  readonly layers?: readonly string[];
  /** Which picture of the batch. Default 0. */
  readonly picture?: number;
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a picture's longer side. Default 128. */
  readonly cell?: number;
}

/** The values between which a component takes the whole of its colour: a few outliers would leave the rest grey. */
const shown = { from: 0.02, to: 0.98 };

/**
 * Self-attention by its leading components: a row a layer, a column a step. What a place attends to (its row of the
 * attention matrix, mean over heads) is told by the three directions in which places differ the most, as red, green
 * and blue. The directions are those of all steps together, so colours compare along a row, not between rows.
 *
 * After Tumanyan et al. 2022 (arXiv 2211.12572), figure 3.
 *
 * @param steps of runs that were given `{ observe: model.observe(["*.attn1"]) }`
 * @throws RangeError when no such layer was observed, or the steps have pictures of different sizes
 */
export function selfAttention(steps: readonly Step[], options: SelfAttentionOptions = {}): Figure {
  const layers = options.layers ?? [finest(steps)];
  const rows = layers.map((layer) => steps.map((step) => mapOf(step, layer)));
  for (const [row, maps] of rows.entries()) {
    if (new Set(maps.map(({ probabilities }) => probabilities.shape.slice(1).join())).size > 1) {
      throw new RangeError(`Cannot compare ${layers[row]} over steps of different sizes: one size was wanted.`);
    }
  }
  return new Figure(() => {
    const { cell = 128, heading, picture = 0 } = options;
    const drawn = rows.map((maps) => components(maps, picture));
    const told = drawn.map(({ explained }, row) =>
      `${shortName(layers[row])}: red, green and blue explain ${
        explained.map((share) => `${(100 * share).toFixed(0)} %`).join(", ")
      } of what differs.`
    );
    return layOut({
      rows: drawn.map(({ rasters }) => rasters.map((raster) => ({ raster, scaling: "hard" as const }))),
      rowTitles: layers.length > 1 ? layers.map(shortName) : undefined,
      columnTitles: steps.map((step) => `${stepTitle(step)}, σ ${formatSigma(step.sigma)}`),
      heading,
      notes: [
        "Like colours: places that attend alike.",
        ...told,
        ...notFiniteNote(
          drawn.flatMap(({ rasters }) => rasters.map((raster) => ({ raster, scaling: "hard" as const }))),
        ),
      ],
      cell,
      alt: `${heading ? `${heading}: ` : ""}leading components of self-attention as colours at ${steps.length} ` +
        `steps. ${told.join(" ")}`,
    });
  });
}

/** `up_blocks.1.attentions.0.transformer_blocks.0.attn1` is "up_blocks.1 · 0 · 0": what fits beside a row. */
export function shortName(layer: string): string {
  return layer.replace(/\.(attentions|resnets|transformer_blocks)\./g, " · ").replace(/\.attn[12]$/, "");
}

function mapOf(step: Step, layer: string): AttentionMap {
  const map = observedOf(step).attention.get(layer);
  if (map?.of === "self") return map;
  const seen = [...observedOf(step).attention.values()].filter(({ of }) => of === "self").map(({ layer }) => layer);
  throw new RangeError(
    `Cannot draw the self-attention of ${layer}: observed were ${seen.join(", ") || "none"}. ` +
      `Give the run { observe: model.observe(["*.attn1"]) }.`,
  );
}

function finest(steps: readonly Step[]): string {
  if (steps.length === 0) throw new RangeError("Cannot draw the self-attention of no steps: at least one was wanted.");
  const places = ({ probabilities: { shape } }: AttentionMap) => shape[2] * shape[3];
  const maps = [...observedOf(steps[0]).attention.values()].filter(({ of }) => of === "self");
  const [first, ...others] = maps;
  if (first === undefined) return mapOf(steps[0], "any layer").layer;
  return others.reduce((best, map) => places(map) > places(best) ? map : best, first).layer;
}

function components(
  maps: readonly AttentionMap[],
  picture: number,
): { rasters: Raster[]; explained: readonly number[] } {
  const [, heads, height, width, keys] = maps[0].probabilities.shape;
  const places = height * width;
  const rows = new Float32Array(maps.length * places * keys);
  maps.forEach(({ probabilities }, step) => {
    const { data } = probabilities.at(picture);
    for (let i = 0; i < data.length; i++) rows[step * places * keys + i % (places * keys)] += data[i] / heads;
  });
  const broken = new Set<number>(); // rows of them say nothing, and would leave nothing of the others
  rows.forEach((value, i) => {
    if (!Number.isFinite(value)) broken.add(Math.floor(i / keys));
  });
  for (const row of broken) rows.fill(0, row * keys, (row + 1) * keys);
  const { scores, explained } = principalComponents(rows, keys, 3);
  const ranges = scores.map((score) => {
    const sorted = score.toSorted();
    const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
    return { low: at(shown.from), span: at(shown.to) - at(shown.from) || 1 };
  });
  const rasters = maps.map((_, step) => {
    const data = new Uint8Array(3 * places);
    let notFinite = 0;
    for (let place = 0; place < places; place++) {
      if (broken.has(step * places + place)) {
        data.set(brokenColor(place % width, Math.floor(place / width), 1), 3 * place);
        notFinite++;
        continue;
      }
      for (let color = 0; color < 3; color++) {
        const range = ranges[color];
        const share = range === undefined ? 0.5 : (scores[color][step * places + place] - range.low) / range.span;
        data[3 * place + color] = Math.round(255 * Math.min(1, Math.max(0, share)));
      }
    }
    return { width, height, data, notFinite };
  });
  return { rasters, explained };
}
