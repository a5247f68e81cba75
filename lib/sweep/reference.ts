/** The pictures that others are compared with: one model's, at one recipe, from the same noise. */

import type { Labels } from "./cell.ts";
import type { QualityOptions } from "./options.ts";

/** What tells the reference's cells from the others. */
export type IsReference = (labels: Pick<Labels, "model" | "recipe" | "steps">) => boolean;

/**
 * Which cells are the reference's.
 *
 * @throws RangeError when none is, or when they are of several recipes or numbers of steps
 */
export function referenceAmong(
  cells: readonly Pick<Labels, "model" | "recipe" | "steps">[],
  reference: NonNullable<QualityOptions["reference"]>,
): IsReference {
  const wanted = typeof reference === "string" ? { model: reference } : reference;
  const { model, recipe, steps } = { recipe: undefined, steps: undefined, ...wanted };
  const isReference: IsReference = (cell) =>
    cell.model === model && (recipe === undefined || cell.recipe === recipe) &&
    (steps === undefined || cell.steps === steps);
  const found = new Set(cells.filter(isReference).map(({ recipe, steps }) => `${recipe} in ${steps}`));
  const called = [model, recipe && `by ${recipe}`, steps && `in ${steps} steps`].filter(Boolean).join(" ");
  if (found.size === 0) {
    const names = [...new Set(cells.map(({ model }) => model))].join(", ");
    throw new RangeError(`Cannot compare with the reference ${called}: no cell is its. The models are ${names}.`);
  }
  if (found.size > 1) {
    throw new RangeError(
      `Cannot compare with the reference ${called}: it is run in several ways, ${[...found].join(", ")} steps. ` +
        `Name its recipe or its steps.`,
    );
  }
  return isReference;
}

/** Prompt and seed: what the cells of one noise share. */
export function noiseOf({ promptIndex, seed }: Pick<Labels, "promptIndex" | "seed">): string {
  return `${promptIndex} ${seed}`;
}
