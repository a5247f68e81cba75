/**
 * A picture by SDXL at its full size, from process start to PNG: one file of 6.9 GB under its published names, filled
 * with random half floats, run as Lightning in 4 steps. It shows that everything works at this size, and what it takes.
 *
 *     deno run -A bench/generate_full_size.ts [--ways fast,lean,int8,openvino:bf16] [--size 512]
 *
 * A machine with a GPU can run cuda, cuda:fp16 and webgpu:fp16, too.
 *
 * It wants 10 GB in the temporary folder.
 */

import * as v from "valibot";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fillWithNormals, publishedTensors, writeSparse } from "../tests/synthetic.ts";
import { report } from "./harness.ts";

const WAYS: Readonly<Record<string, readonly string[]>> = {
  fast: [],
  lean: ["--memory", "lean"],
  int8: ["--precision", "int8"],
  "openvino:bf16": ["--device", "openvino", "--precision", "bf16"],
  "cuda": ["--device", "cuda"],
  "cuda:fp16": ["--device", "cuda", "--precision", "fp16"],
  "webgpu:fp16": ["--device", "webgpu", "--precision", "fp16"],
};

/** What any machine has, or can have. */
const USUAL = ["fast", "lean", "int8", "openvino:bf16"];

/** What `--json` prints, as far as it is wanted. */
const TOLD = v.object({
  milliseconds: v.object({
    open: v.number(),
    begin: v.number(),
    steps: v.array(v.number()),
    unet: v.array(v.number()),
    decode: v.number(),
    total: v.number(),
  }),
  memory: v.object({ peak: v.number(), stages: v.record(v.string(), v.object({ peak: v.number() })) }),
});

const { values } = parseArgs({
  options: { ways: { type: "string", default: USUAL.join() }, size: { type: "string", default: "512" } },
});

const folder = await Deno.makeTempDir({ prefix: "fewstep-bench-" });
try {
  const path = join(folder, "sd_xl_base_1.0.safetensors");
  await writeSparse(path, (await publishedTensors())["single-original"]);
  await fillWithNormals(path);
  const results: Record<string, unknown> = {};
  for (const way of values.ways.split(",")) {
    if (!Object.hasOwn(WAYS, way)) {
      throw new RangeError(`Cannot run ${way}: known are ${Object.keys(WAYS).join(", ")}.`);
    }
    const began = performance.now();
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "generate", "--model", path, "--recipe", "lightning-4step", "--prompt", "an owl"]
        .concat([
          "--size",
          `${values.size}x${values.size}`,
          "--seed",
          "1",
          "--out",
          join(folder, "a.png"),
          "--json",
          ...WAYS[way],
        ]),
      env: { XDG_CACHE_HOME: join(folder, "cache") },
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`Cannot measure "${way}": see the lines above.`);
    const seconds = (performance.now() - began) / 1000;
    const { milliseconds, memory } = v.parse(TOLD, JSON.parse(new TextDecoder().decode(stdout)));
    results[way] = { seconds, milliseconds, peakBytes: memory.peak, peakBytesOf: memory.stages };
  }
  const command = `deno run -A bench/generate_full_size.ts --ways ${values.ways} --size ${values.size}`;
  const gpu = /cuda|webgpu/.test(values.ways) ? "_gpu" : "";
  await report(`generate_full_size_${values.size}${gpu}`, command, results);
} finally {
  await Deno.remove(folder, { recursive: true });
}
