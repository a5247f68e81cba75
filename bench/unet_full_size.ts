/**
 * SDXL's U-Net at its full size (2.57 G parameters, fp16 file, latents 64×64, as for a picture of 512²): memory and time
 * of a step, each way in a process of its own. Goals: lean ≤ 4 GB resident and ≤ 1.3 × the time of fast; fast ≤ 11.5 GB.
 *
 *     deno run -A bench/unet_full_size.ts [--ways fast,lean,int8,openvino:bf16] [--side 64] [--steps 3]
 *
 * The weights (5.1 GB in the temporary folder) are random: the runtime keeps equal matrices once, zeros would all be one.
 */

import * as v from "valibot";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildUnet } from "../lib/graph/unet.ts";
import { readMemory, resetPeak } from "../lib/measure/memory.ts";
import { int8Unet } from "../lib/model/int8.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { openVino } from "../lib/model/sessions/openvino.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { openSafetensors } from "../lib/weights/safetensors.ts";
import { sourcesOf, Weights } from "../lib/weights/weights.ts";
import { fillWithNormals, SDXL_CONFIGS, tensorsOf, writeSparse } from "../tests/synthetic.ts";
import { type Cost, cost, costSpread, report } from "./harness.ts";
import { inputsOf } from "./unet_inputs.ts";

const { values: options, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    ways: { type: "string", default: "fast,lean" },
    side: { type: "string", default: "64" },
    /** The first also loads, packs and fills the system's cache. */
    steps: { type: "string", default: "3" },
  },
});

const measured = v.object({
  before: v.number(),
  loadPeak: v.number(),
  stepPeak: v.number(),
  released: v.number(),
  milliseconds: v.unknown(),
});

/** One way, in this process. */
async function one(way: string, folder: string): Promise<v.InferOutput<typeof measured>> {
  const architecture = await readUnetConfig(join(folder, "config.json"));
  const file = await openSafetensors(await Deno.realPath(join(folder, "unet.safetensors")));
  const weights = new Weights("unet", sourcesOf([file]));
  const feeds = inputsOf(architecture, { side: Number(options.side) });
  const before = readMemory().resident;
  const runtime = way.startsWith("openvino:")
    ? openVino()
    : onnxRuntimeCpu({ memory: way === "lean" ? "lean" : "fast" });
  const lowering = way === "int8"
    ? await int8Unet(runtime.lowering, { architecture, weights, told: "by config" }, { folder })
    : way === "openvino:bf16"
    ? runtime.reduced?.bf16 ?? runtime.lowering
    : runtime.lowering;
  resetPeak();
  const session = await runtime.load(buildUnet(architecture, weights, { lowering }));
  const loadPeak = readMemory().peak;
  resetPeak();
  const costs: Cost[] = [];
  for (let i = 0; i < Number(options.steps); i++) costs.push(await cost(() => session.run(feeds)));
  const stepPeak = readMemory().peak;
  await session.release();
  return { before, loadPeak, stepPeak, released: readMemory().resident, milliseconds: costSpread(costs) };
}

if (positionals[0] === "one") {
  const [, way, folder] = positionals;
  console.log(JSON.stringify(await one(way, folder)));
} else {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-bench-" });
  try {
    const config = join(folder, "config.json");
    await Deno.writeTextFile(config, JSON.stringify(SDXL_CONFIGS.unet));
    const path = join(folder, "unet.safetensors");
    await writeSparse(path, await tensorsOf("unet", config));
    await fillWithNormals(path);
    const results: Record<string, unknown> = {};
    for (const way of options.ways.split(",")) {
      const settings = ["--side", options.side, "--steps", options.steps];
      const { success, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", import.meta.filename ?? "", "one", way, folder, ...settings],
        env: { MALLOC_MMAP_THRESHOLD_: "65536" }, // as the tasks set it: what is freed goes back to the system
        stderr: "inherit",
      }).output();
      if (!success) throw new Error(`Cannot measure "${way}": see the lines above.`);
      results[way] = v.parse(measured, JSON.parse(new TextDecoder().decode(stdout)));
    }
    const name = options.side === "64" ? "unet_full_size" : `unet_full_size_${options.side}`;
    await report(name, ["deno run -A bench/unet_full_size.ts", ...Deno.args].join(" "), results);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
