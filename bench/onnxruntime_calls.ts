/**
 * ONNX Runtime by foreign calls of its C library, which leave JavaScript's thread free, against the npm package's own
 * binding, which keeps it: the pocket U-Net, the same session options, in turn. Goal: ≤ 1.03.
 *
 * Command: deno run -A bench/onnxruntime_calls.ts [ROUNDS]
 */

import * as binding from "onnxruntime-node";
import { buildUnet } from "../lib/graph/unet.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { openCheckpoint } from "../lib/weights/open.ts";
import { paired, report, time } from "./harness.ts";
import { inputsOf } from "./unet_inputs.ts";

const rounds = Number(Deno.args[0] ?? 100);
const runtime = onnxRuntimeCpu();
const { unet: { architecture, weights } } = await openCheckpoint("models/pocket/base");
const network = buildUnet(architecture, weights, { lowering: runtime.lowering });
const feeds = inputsOf(architecture, { batch: 2, side: 16 });

const ours = await runtime.load(network);
const theirs = await binding.InferenceSession.create(network.bytes, {
  logSeverityLevel: 3,
  extra: { session: { model_external_initializers_file_folder_path: network.root } },
});
const given = Object.fromEntries(
  Object.entries(feeds).map(([name, { data, shape }]) => [name, new binding.Tensor("float32", data, shape)]),
);
for (let i = 0; i < 2; i++) {
  await ours.run(feeds);
  await theirs.run(given);
}
let ticks = 0;
const timer = setInterval(() => ticks++, 1);
const during = { ours: 0, theirs: 0 };
const ticking = async (whose: keyof typeof during, run: () => Promise<unknown>): Promise<number> => {
  const before = ticks;
  const took = await time(run);
  during[whose] += ticks - before;
  return took;
};
const result = await paired(
  rounds,
  () => ticking("ours", () => ours.run(feeds)),
  () => ticking("theirs", () => theirs.run(given)),
);
clearInterval(timer);
await ours.release();
await theirs.release();
await report("onnxruntime_calls", `deno run -A bench/onnxruntime_calls.ts ${rounds}`, {
  foreignCallsMilliseconds: result.ours,
  bindingMilliseconds: result.theirs,
  ratio: result.ratio,
  ticksOfATimerDuringRuns: during,
});
