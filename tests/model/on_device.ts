/**
 * A run on a device, for webgpu_test.ts and cuda_test.ts: in a process of its own, as the graphics driver and the loader's
 * path are chosen at its start.
 */

import { type Device, open, type Request } from "fewstep";
import { goldenPath } from "../goldens/read.ts";

/** By name: as small as a run can be, and SDXL's rules at 64 x 64 pixels. */
const RUNS: Readonly<Record<string, readonly [path: string, request: Request]>> = {
  tiny: [
    goldenPath("tiny-sdxl"),
    { prompt: "neon fish, snow", seed: 11, steps: 2, guidance: 4, size: { width: 32, height: 32 } },
  ],
  pocket: [
    "models/pocket/base",
    { prompt: "neon fish, snow", seed: 11, steps: 1, guidance: 0, size: { width: 64, height: 64 } },
  ],
};

const DEVICES: readonly Device[] = ["cpu", "webgpu", "cuda"];

const [name, wanted, precision] = Deno.args;
const device = DEVICES.find((known) => known === wanted);
if (device === undefined) throw new RangeError(`Cannot run on "${wanted}": wanted is one of ${DEVICES.join(", ")}.`);
if (precision !== "fp32" && precision !== "fp16") {
  throw new RangeError(`Cannot compute in "${precision}": wanted is fp32 or fp16.`);
}
const [path, request] = RUNS[name];
await using model = await open(path, { device, precision });
const { step, image } = await model.generate(request);
const { context, pooled } = step.conditioning;
const tensors = { context, pooled, prediction: step.prediction, latent: step.latent, image };
console.log(JSON.stringify({
  runtime: model.runtime.name,
  tensors: Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, [...tensor.data]])),
}));
// The driver's threads would keep the process: SwiftShader's, for some versions, for ever.
await model.close();
Deno.exit(0);
