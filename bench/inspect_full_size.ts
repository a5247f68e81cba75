/**
 * How long `inspect` takes on full-size files (fp16, sparse): SDXL as a folder, SDXL as one file whose U-Net has the
 * original names, and a rank-64 LoRA of every layer of its U-Net. Goal: ≤ 1 s each, as headers alone are read.
 *
 * Command: deno run -A bench/inspect_full_size.ts
 */

import { join } from "node:path";
import { inspect } from "../lib/model/inspect/inspect.ts";
import type { Shape } from "../lib/tensor/tensor.ts";
import { inspectionText } from "../lib/view/inspection.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { ldmUnetNames } from "../lib/weights/keys/ldm_names.ts";
import { SDXL_CONFIGS, tensorsOf, writeSparse, writeSyntheticFolder } from "../tests/synthetic.ts";
import { report, spread, time } from "./harness.ts";

const RANK = 64;
const ROUNDS = 7;

const folder = await Deno.makeTempDir();
try {
  const model = join(folder, "sdxl");
  await writeSyntheticFolder(model);
  const config = (part: string) => join(model, part, "config.json");
  const shapes = new Map<string, ReadonlyMap<string, Shape>>();
  for (const part of Object.keys(SDXL_CONFIGS)) shapes.set(part, await tensorsOf(part, config(part)));
  const unet = shapes.get("unet") ?? new Map<string, Shape>();

  const single = join(folder, "sd_xl_base_1.0.safetensors");
  const ldm = ldmUnetNames(await readUnetConfig(config("unet")));
  await writeSparse(
    single,
    new Map([...shapes].flatMap(([part, tensors]) =>
      [...tensors].map(([key, shape]): [string, Shape] => {
        const [, module, kind] = key.match(/^(.*)\.(weight|bias)$/) ?? [];
        const original = part === "unet" && module !== undefined ? ldm(module) : undefined;
        return [original === undefined ? `${part}.${key}` : `model.diffusion_model.${original}.${kind}`, shape];
      })
    )),
  );

  const lora = join(folder, "sdxl_lightning_4step_lora.safetensors");
  await writeSparse(
    lora,
    new Map([...unet].flatMap(([key, [out, ...inner]]): [string, Shape][] => {
      if (!key.endsWith(".weight") || inner.length === 0) return [];
      const name = `lora_unet_${key.slice(0, -".weight".length).replaceAll(".", "_")}`;
      const ones = inner.slice(1).map(() => 1);
      return [
        [`${name}.lora_down.weight`, [RANK, ...inner]],
        [`${name}.lora_up.weight`, [out, RANK, ...ones]],
        [`${name}.alpha`, []],
      ];
    })),
  );

  const results: Record<string, unknown> = {};
  for (const [name, path] of Object.entries({ folder: model, single, lora })) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      times.push(await time(async () => inspectionText(await inspect(path))));
    }
    results[name] = { firstMilliseconds: times[0], milliseconds: spread(times) };
  }
  await report("inspect_full_size", "deno run -A bench/inspect_full_size.ts", results);
  if (Deno.args.includes("--show")) {
    for (const path of [single, lora]) console.log(inspectionText(await inspect(path)));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
