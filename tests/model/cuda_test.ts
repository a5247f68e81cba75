/**
 * Whole runs by ONNX Runtime's CUDA provider, without fallback to the processor. Where its library, NVIDIA's or a GPU is
 * missing these tests skip, and print the sentence that a user would read.
 */

import { onnxRuntimeCuda } from "fewstep/model/sessions/onnxruntime.ts";
import { compareWithProcessor } from "./against_processor.ts";

/** Why there is no CUDA here. */
function missing(): string | undefined {
  try {
    onnxRuntimeCuda();
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

const reason = missing();
if (reason !== undefined) console.log(`cuda: skipped. ${reason}`);

for (const name of ["tiny", "pocket"]) {
  Deno.test({
    name: `cuda: the ${name} models' text, latents and picture are within 1e-4 of the processor's`,
    ignore: reason !== undefined,
    fn: () => compareWithProcessor(name, { device: "cuda", precision: "fp32" }, 1e-4),
  });
}

Deno.test({
  name: "cuda: in half floats the pocket models are within 1e-2",
  ignore: reason !== undefined,
  fn: () => compareWithProcessor("pocket", { device: "cuda", precision: "fp16" }, 1e-2),
});
