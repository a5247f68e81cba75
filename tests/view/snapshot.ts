/**
 * Pictures held against the ones that were looked at and committed. A difference beyond what encoders and scalers
 * differ by from machine to machine fails, and leaves the new picture beside the old as `NAME-changed.png`.
 * `FEWSTEP_SNAPSHOTS=write deno task test tests/view` accepts the new ones: look at them first.
 */

import { deepEqual, fail } from "node:assert/strict";
import { readPicture } from "../../lib/view/picture.ts";

const folder = new URL("snapshots/", import.meta.url);

/** Of 255. */
const meanAllowed = 0.5;
/** Single pixels on an edge may differ by more, if they are few. */
const edge = { difference: 24, share: 0.002 };

export async function matchSnapshot(name: string, png: Uint8Array): Promise<void> {
  const expectedPath = new URL(`${name}.png`, folder);
  const changedPath = new URL(`${name}-changed.png`, folder);
  if (Deno.env.get("FEWSTEP_SNAPSHOTS") === "write") {
    await Deno.mkdir(folder, { recursive: true });
    return await Deno.writeFile(expectedPath, png);
  }
  const keep = async (why: string): Promise<never> => {
    await Deno.writeFile(changedPath, png);
    return fail(`${name}: ${why}. Compare snapshots/${name}-changed.png with snapshots/${name}.png.`);
  };
  const expectedBytes = await Deno.readFile(expectedPath).catch(() => undefined);
  if (expectedBytes === undefined) return await keep("there is no snapshot yet");
  const [actual, expected] = [await readPicture(png), await readPicture(expectedBytes)];
  if (actual.shape.join() !== expected.shape.join()) {
    await keep(`the picture is ${actual.shape.join("×")}, the snapshot ${expected.shape.join("×")}`);
  }
  deepEqual(actual.shape, expected.shape);
  let [sum, far] = [0, 0];
  actual.data.forEach((value, index) => {
    const difference = Math.abs(value - expected.data[index]) * 255;
    sum += difference;
    if (difference > edge.difference) far++;
  });
  const [mean, share] = [sum / actual.data.length, far / actual.data.length];
  if (mean > meanAllowed || share > edge.share) {
    await keep(`mean difference ${mean.toFixed(2)} of 255, ${(share * 100).toFixed(2)} % of the values far off`);
  }
}
