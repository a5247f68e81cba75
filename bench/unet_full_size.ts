/**
 * SDXL's U-Net at its full size (2.57 G parameters, fp16 file, latents 64×64): memory and time of a step in "lean" and
 * "fast", each in a process of its own. Goals: lean ≤ 4 GB resident and ≤ 1.3 × the time of fast; fast ≤ 11.5 GB.
 *
 *     deno run -A bench/unet_full_size.ts [lean] [fast]
 *
 * The weights are zeros in a sparse file: they take no disk, and as long to multiply by as any others.
 */

import * as v from "valibot";
import { join } from "node:path";
import { buildUnet } from "../lib/graph/unet.ts";
import { readMemory, resetPeak } from "../lib/measure/memory.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { openSafetensors } from "../lib/weights/safetensors.ts";
import { sourcesOf, Weights } from "../lib/weights/weights.ts";
import { SDXL_CONFIGS, tensorsOf, writeSparse } from "../tests/synthetic.ts";
import { type Cost, cost, costSpread, report } from "./harness.ts";
import { inputsOf } from "./unet_inputs.ts";

const MODES = ["lean", "fast"] as const;
type Mode = typeof MODES[number];

/** Steps: the first also loads, packs and fills the system's cache. */
const STEPS = 2;

const measured = v.object({
  before: v.number(),
  loadPeak: v.number(),
  stepPeak: v.number(),
  released: v.number(),
  milliseconds: v.unknown(),
});

/** One mode, in this process. */
async function one(memory: Mode, folder: string): Promise<v.InferOutput<typeof measured>> {
  const architecture = await readUnetConfig(join(folder, "config.json"));
  const file = await openSafetensors(await Deno.realPath(join(folder, "unet.safetensors")));
  const feeds = inputsOf(architecture);
  const before = readMemory().resident;
  const runtime = onnxRuntimeCpu({ memory });
  const { lowering } = runtime;
  const session = await runtime.load(buildUnet(architecture, new Weights("unet", sourcesOf([file])), { lowering }));
  const loadPeak = readMemory().peak;
  resetPeak();
  const costs: Cost[] = [];
  for (let i = 0; i < STEPS; i++) costs.push(await cost(() => session.run(feeds)));
  const stepPeak = readMemory().peak;
  await session.release();
  return { before, loadPeak, stepPeak, released: readMemory().resident, milliseconds: costSpread(costs) };
}

const [first, second] = Deno.args;
if (first === "one") {
  const [, mode, folder] = Deno.args;
  console.log(JSON.stringify(await one(mode === "lean" ? "lean" : "fast", folder)));
} else {
  const wanted = MODES.filter((mode) => Deno.args.length === 0 || [first, second].includes(mode));
  const folder = await Deno.makeTempDir({ prefix: "fewstep-bench-" });
  try {
    const config = join(folder, "config.json");
    await Deno.writeTextFile(config, JSON.stringify(SDXL_CONFIGS.unet));
    await writeSparse(join(folder, "unet.safetensors"), await tensorsOf("unet", config));
    const results: Record<string, unknown> = {};
    for (const mode of wanted) {
      const { success, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", import.meta.filename ?? "", "one", mode, folder],
        env: { MALLOC_MMAP_THRESHOLD_: "65536" }, // as the tasks set it: what is freed goes back to the system
        stderr: "inherit",
      }).output();
      if (!success) throw new Error(`Cannot measure "${mode}": see the lines above.`);
      results[mode] = v.parse(measured, JSON.parse(new TextDecoder().decode(stdout)));
    }
    await report("unet_full_size", ["deno run -A bench/unet_full_size.ts", ...Deno.args].join(" "), results);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
