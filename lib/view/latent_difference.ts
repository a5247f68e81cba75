/** Where two latents differ, and by how much: two steps, two models, two seeds. */

import { relativeL2 } from "../measure/quality/difference.ts";
import { Step } from "../model/step.ts";
import { formatShape, type Tensor } from "../tensor/tensor.ts";
import { Figure } from "./figure.ts";
import { beyondNote, ember, heat, type Plane, ramp } from "./heat.ts";
import { fittedNote, type Item, look, type LookOptions, shown, stepTitle } from "./items.ts";
import { largest } from "./latent.ts";
import { layOut, notFiniteNote, type SheetCell } from "./sheet.ts";

/** How the difference of latents is drawn. */
export interface LatentDifferenceOptions extends LookOptions {
  /** What the others are held against. */
  readonly against: Item;
  /** Over each picture, the one they are held against first. Default: a step's number. */
  readonly titles?: readonly string[];
  /** What full colour stands for, in the latent's own units. Default: the largest difference. What is more is marked. */
  readonly limit?: number;
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a picture's longer side. Default 144. */
  readonly cell?: number;
}

/**
 * Items beside the one they are held against, and under each the difference's size at every place: the root mean square
 * over channels, with one scale for all. Under it, the whole's: ‖a − b‖ / ‖b‖. Of a batch, the first is drawn.
 *
 * @throws RangeError when shapes differ
 */
export function latentDifference(items: readonly Item[], options: LatentDifferenceOptions): Figure {
  const { against, titles, of } = options;
  const all = [against, ...items];
  const [reference, ...tensors] = all.map((item) => shown(item, of));
  const odd = tensors.find(({ shape }) => formatShape(shape.slice(1)) !== formatShape(reference.shape.slice(1)));
  if (items.length === 0 || odd !== undefined) {
    throw new RangeError(
      `Cannot compare ${odd ? formatShape(odd.shape) : "nothing"} with ${formatShape(reference.shape)}: ` +
        `at least one item of the same shape was wanted.`,
    );
  }
  if (titles !== undefined && titles.length !== all.length) {
    throw new RangeError(`Cannot put ${titles.length} titles on ${all.length} pictures: one each was wanted.`);
  }
  return new Figure(async () => {
    const { cell = 144, heading } = options;
    const looked = [];
    for (const item of all) looked.push(await look(item, options)); // a decoder runs one at a time
    const planes = tensors.map((tensor) => rootMeanSquare(tensor, reference));
    const limit = options.limit ?? Math.max(...planes.map(({ values }) => largest({ data: values })));
    const heats = planes.map((plane) => heat(plane, { colors: ember, range: [0, limit] }));
    const relative = tensors.map((tensor) =>
      `‖a − b‖ / ‖b‖ = ${relativeL2(tensor.at(0), reference.at(0)).toPrecision(2)}`
    );
    const pictures = looked.map(({ rasters, scaling }) => ({ raster: rasters[0], scaling }));
    const maps: (SheetCell | undefined)[] = heats.map(({ raster }, index) => ({
      raster,
      scaling: "hard",
      caption: relative[index],
    }));
    const names = titles ?? all.map((item) => item instanceof Step ? stepTitle(item) : "");
    return layOut({
      rows: [pictures, [undefined, ...maps]],
      columnTitles: names,
      heading,
      ramp: ramp(ember, "0", String(Number(limit.toPrecision(3)))),
      notes: [
        "Coloured: the root mean square over channels.",
        ...beyondNote(heats),
        ...fittedNote(looked),
        ...notFiniteNote([...pictures, ...maps]),
      ],
      cell,
      alt: `${heading ? `${heading}: ` : ""}differences from ${names[0] || "the first"}; ` +
        relative.map((text, index) => `${names[index + 1] || index + 1}: ${text}`).join("; "),
    });
  });
}

function rootMeanSquare(a: Tensor, b: Tensor): Plane {
  const [, channels, height, width] = a.shape;
  const size = width * height;
  const values = new Float32Array(size);
  for (let channel = 0; channel < channels; channel++) {
    for (let place = 0; place < size; place++) {
      values[place] += (a.data[channel * size + place] - b.data[channel * size + place]) ** 2 / channels;
    }
  }
  return { width, height, values: values.map(Math.sqrt) };
}
