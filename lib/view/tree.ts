/** A run that forks: the same step gone on in several ways, drawn as a tree. */

import type { Model } from "../model/model.ts";
import type { Overrides } from "../model/request.ts";
import type { Step } from "../model/step.ts";
import { torchGenerator } from "../tensor/random/mod.ts";
import { beside } from "./beside.ts";
import type { PlacedShape } from "./drawing.ts";
import { Figure } from "./figure.ts";
import { type LookOptions, stepCaption, stepTitle } from "./items.ts";
import { quiet } from "./palette.ts";
import { strip } from "./strip.ts";

/** What a branch does differently from the step on. */
export interface Variant extends Partial<Omit<Overrides, "signal" | "observe">> {
  /** The seed of the noise that ancestral samplers draw from here on. Default: the run's own stream goes on. */
  readonly noiseSeed?: number | bigint;
}

/** How the branches are run. */
export interface TreeOptions extends Pick<Overrides, "signal"> {
  /** Called after each step, with the branch's name. */
  readonly onStep?: (name: string, step: Step) => void;
}

/** A step, and what became of it under each variant. */
export interface Tree {
  /** Where they part. */
  readonly from: Step;
  /** The last step of each branch, by its name. */
  readonly branches: ReadonlyMap<string, Step>;
}

/**
 * Takes a step to its end in several ways. A step is a value: it stays as it is, and each branch starts from the same bits.
 *
 * @param from any step that is not done
 * @param variants what each does differently, by its name in the drawing; `{}` goes on as the run began
 * @throws RangeError when nothing is left to denoise, or there are no variants
 */
export async function tree(
  model: Model,
  from: Step,
  variants: Readonly<Record<string, Variant>>,
  { signal, onStep }: TreeOptions = {},
): Promise<Tree> {
  const named = Object.entries(variants);
  if (named.length === 0 || from.done) {
    throw new RangeError(
      `Cannot branch from step ${from.index} of ${from.count}: ` +
        (from.done ? "nothing is left to denoise." : "at least one variant was wanted."),
    );
  }
  const branches = new Map<string, Step>();
  for (const [name, { noiseSeed, ...changes }] of named) {
    const start = noiseSeed === undefined ? from : from.with({
      request: from.request,
      trajectory: from.trajectory,
      conditioning: from.conditioning,
      generators: from.generators.map((_, picture) => torchGenerator(BigInt(noiseSeed) + BigInt(picture))),
    });
    let step = await model.next(start, { ...changes, signal });
    onStep?.(name, step);
    while (!step.done) {
      step = await model.next(step, { signal });
      onStep?.(name, step);
    }
    branches.set(name, step);
  }
  return { from, branches };
}

/** How a tree is drawn. */
export interface TreeFigureOptions extends LookOptions {
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a picture's longer side. Default 112. */
  readonly cell?: number;
}

/** CSS pixels between the trunk and its branches: room for the lines. */
const fork = 56;

/** The trunk's step at the left, a row a branch at the right, joined by lines: x0 at every step. */
export function treeFigure({ from, branches }: Tree, options: TreeFigureOptions = {}): Figure {
  const { cell = 112, heading, decode, space, of } = options;
  const looks = { decode, space, of, cell };
  return new Figure(async () => {
    const trunk = strip([from], { ...looks, titles: [stepTitle(from)], captions: [stepCaption(from)], heading });
    const rows = [...branches].map(([name, last]) => {
      const path = last.path.filter(({ index }) => index > from.index);
      return strip(path, { ...looks, heading: name });
    });
    const right = beside(rows, { direction: "column", gap: 4 });
    const [left, , whole] = [
      await trunk.drawing(),
      await right.drawing(),
      await beside([trunk, right], { gap: fork }).drawing(),
    ];
    const [start] = left.pictures;
    const [x, y] = [start.x + start.width + 4, start.y + start.height / 2];
    let top = 0;
    const shapes: PlacedShape[] = [];
    for (const row of rows) {
      const { height, pictures: [first] } = await row.drawing();
      const [toX, toY] = [left.width + fork + first.x - 4, top + first.y + first.height / 2];
      const middle = (x + toX) / 2;
      shapes.push({
        path: `M${x} ${y}C${middle} ${y} ${middle} ${toY} ${toX} ${toY}`,
        stroke: quiet.lines,
        strokeWidth: 1.5,
      });
      top += height + 4;
    }
    return {
      ...whole,
      shapes: [...whole.shapes ?? [], ...shapes],
      alt: `${heading ? `${heading}: ` : ""}${stepTitle(from)} gone on in ${branches.size} ways: ${
        [...branches.keys()].join("; ")
      }`,
    };
  });
}
