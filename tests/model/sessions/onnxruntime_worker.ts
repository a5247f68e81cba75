/** A thread of its own that runs a network, tells its output, and runs it again. */

/// <reference lib="deno.worker" />

import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import { Tensor } from "fewstep/tensor/tensor.ts";
import { chain } from "./chain.ts";

export interface Task {
  readonly folder: string;
  readonly side: number;
  readonly layers: number;
}

self.onmessage = async ({ data: { folder, side, layers } }: MessageEvent<Task>) => {
  const session = await onnxRuntimeCpu({ threads: 1 }).load(await chain(folder, side, layers));
  const feeds = { x: new Tensor(new Float32Array(side * side).fill(3), [side, side]) };
  const output = (await session.run(feeds)).get("y");
  const again = session.run(feeds);
  self.postMessage(output?.data);
  await again;
};
