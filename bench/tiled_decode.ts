/**
 * What decoding in tiles costs and saves: SDXL's VAE (its architecture, weights of zeros), a picture decoded whole and in
 * tiles, each in a process of its own whose highest memory is read.
 *
 *     deno run -A bench/tiled_decode.ts [--size 1024] [--tiles 512,256]
 */

import { parseArgs } from "node:util";
import { join } from "node:path";
import { open } from "../lib/model/open.ts";
import { readMemory } from "../lib/measure/memory.ts";
import { batchNoise, torchGenerator } from "../lib/tensor/random/mod.ts";
import { writeSyntheticFolder } from "../tests/synthetic.ts";
import { report } from "./harness.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "1024" },
    tiles: { type: "string", default: "512,256" },
    model: { type: "string" },
    tile: { type: "string" },
  },
});
const size = Number(values.size);

if (values.model !== undefined) {
  await using model = await open(values.model);
  const side = size / 8;
  const latent = batchNoise([torchGenerator(1)], [4, side, side]).noise;
  const began = performance.now();
  await model.decode(latent, values.tile === undefined ? {} : { tile: Number(values.tile) });
  console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, peak: readMemory().peak }));
} else {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-" });
  try {
    await writeSyntheticFolder(join(folder, "sdxl"));
    const results: Record<string, unknown> = {};
    for (const tile of [undefined, ...values.tiles.split(",")]) {
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          import.meta.filename ?? "",
          "--model",
          join(folder, "sdxl"),
          "--size",
          values.size,
        ]
          .concat(tile === undefined ? [] : ["--tile", tile]),
        env: { MALLOC_MMAP_THRESHOLD_: "65536" },
      }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
      results[tile === undefined ? "whole" : `tiles of ${tile}`] = JSON.parse(new TextDecoder().decode(stdout));
    }
    await report("tiled_decode", `deno run -A bench/tiled_decode.ts --size ${size}`, results);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
