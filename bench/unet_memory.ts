/**
 * Memory and time of one U-Net step in "fast" and "lean", each in a process of its own: fp16 weights of SDXL's shape (391
 * million parameters, latents 64×64, one thread). Goals: lean ≤ 1.3 × the time of fast; after release within 150 MB.
 *
 *     deno run -A bench/unet_memory.ts PYTHON
 *
 * PYTHON has torch. The weights of bench/unet_step.ts are made on first use, and a copy in half floats.
 */

import * as v from "valibot";
import { buildUnet } from "../lib/graph/unet.ts";
import { readMemory, resetPeak } from "../lib/measure/memory.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { openSafetensors } from "../lib/weights/safetensors.ts";
import { sourcesOf, Weights } from "../lib/weights/weights.ts";
import { type Cost, cost, costSpread, report } from "./harness.ts";
import { inputsOf } from "./unet_inputs.ts";

const FOLDER = ".scratch/unet16";
const ROUNDS = 2;

const measured = v.object({
  before: v.number(),
  loadPeak: v.number(),
  stepPeak: v.number(),
  mappedFile: v.number(),
  released: v.number(),
  milliseconds: v.unknown(),
});

/** One mode, in this process. */
async function one(memory: "fast" | "lean"): Promise<v.InferOutput<typeof measured>> {
  const folder = await Deno.realPath(FOLDER);
  const architecture = await readUnetConfig(`${folder}/config.json`);
  const file = await openSafetensors(`${folder}/diffusion_pytorch_model.safetensors`);
  const feeds = inputsOf(architecture);
  const before = readMemory().resident;
  const runtime = onnxRuntimeCpu({ threads: 1, memory });
  const { lowering } = runtime;
  const session = await runtime.load(buildUnet(architecture, new Weights("unet", sourcesOf([file])), { lowering }));
  const loadPeak = readMemory().peak;
  resetPeak();
  const costs: Cost[] = [];
  for (let i = 0; i < ROUNDS; i++) costs.push(await cost(() => session.run(feeds)));
  const stepPeak = readMemory().peak;
  const [, mapped] = Deno.readTextFileSync("/proc/self/status").match(/RssFile:\s*(\d+)/) ?? [];
  await session.release();
  const released = readMemory().resident;
  return { before, loadPeak, stepPeak, mappedFile: 1024 * Number(mapped), released, milliseconds: costSpread(costs) };
}

const [first] = Deno.args;
if (first === "fast" || first === "lean") {
  console.log(JSON.stringify(await one(first)));
} else if (first === undefined) {
  console.error("Missing the Python that makes the weights: one that has torch, as in bench/unet_memory.ts python3.");
  Deno.exit(2);
} else {
  const made = new Deno.Command(first, { args: ["bench/peers/unet_half.py", ".scratch/unet", FOLDER] });
  if (!(await made.spawn().status).success) {
    throw new Error(`Cannot make the weights in ${FOLDER}: see the lines above.`);
  }
  const results: Record<string, unknown> = {};
  for (const memory of ["fast", "lean"]) {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.filename ?? "", memory],
      env: { MALLOC_MMAP_THRESHOLD_: "65536" }, // as the tasks set it: what is freed goes back to the system
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`Cannot measure "${memory}": see the lines above.`);
    results[memory] = v.parse(measured, JSON.parse(new TextDecoder().decode(stdout)));
  }
  await report("unet_memory", "deno run -A bench/unet_memory.ts PYTHON", results);
}
