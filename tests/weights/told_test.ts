/** What a single file without a config cannot say: refused where it matters, and only there. */

import { openCheckpoint } from "fewstep/weights/open.ts";
import { wantToldByShapes } from "fewstep/weights/told.ts";
import { equal, throwsSentence } from "../assert.ts";

const checkpoint = await openCheckpoint("models/pocket/base");

/** The same with other heads on one level of the U-Net's way down. */
function withHeads(level: number, heads: number) {
  const { unet } = checkpoint;
  const down = unet.architecture.down.map((block, i) => i === level ? { ...block, heads } : block);
  return { ...checkpoint, unet: { ...unet, architecture: { ...unet.architecture, down } } };
}

Deno.test("heads count on levels that have attention, and on no others", async () => {
  const depths = checkpoint.unet.architecture.down.map(({ transformers }) => Math.max(0, ...transformers));
  const [without, having] = [depths.indexOf(0), depths.findIndex((depth) => depth > 0)];
  equal(without >= 0 && having >= 0, true);
  wantToldByShapes(checkpoint);
  wantToldByShapes(withHeads(without, 7));
  await throwsSentence(() => wantToldByShapes(withHeads(having, 7)), /U-Net's heads .*7.*Bake a folder\.$/);
});
