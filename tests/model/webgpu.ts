/** A run on WebGPU, for webgpu_test.ts: in a process of its own, as the graphics driver is chosen at its start. */

import { open } from "fewstep";
import { goldenPath } from "../goldens/read.ts";

const [device] = Deno.args;
if (device !== "cpu" && device !== "webgpu") {
  throw new RangeError(`Cannot run on "${device}": wanted is cpu or webgpu.`);
}
await using model = await open(goldenPath("tiny-sdxl"), { device });
const { step, image } = await model.generate({
  prompt: "neon fish, snow",
  seed: 11,
  steps: 2,
  guidance: 4,
  size: { width: 32, height: 32 },
});
const { context, pooled } = step.conditioning;
const tensors = { context, pooled, latent: step.latent, image };
console.log(JSON.stringify({
  runtime: model.runtime.name,
  tensors: Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, [...data]])),
}));
// The driver's threads would keep the process: SwiftShader's, for some versions, for ever.
await model.close();
Deno.exit(0);
