/** A thread of its own that runs a network, tells its output, and runs it again. */

/// <reference lib="deno.worker" />

import { cpu } from "fewstep/graph/lowering.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import { openCheckpoint } from "fewstep/weights/open.ts";
import { inputsOf } from "../../../bench/unet_inputs.ts";

self.onmessage = async ({ data }: MessageEvent<string>) => {
  const { unet: { architecture, weights } } = await openCheckpoint(data);
  const session = await onnxRuntimeCpu({ threads: 1 }).load(buildUnet(architecture, weights, { lowering: cpu }));
  const feeds = inputsOf(architecture, { batch: 2, side: 8 });
  const output = (await session.run(feeds)).get("out_sample");
  const again = session.run(feeds);
  self.postMessage(output?.data);
  await again;
};
