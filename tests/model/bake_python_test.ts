/** Baked folders, opened and run by diffusers itself, where a Python has it. */

import { bake, open, type Request, type Tensor } from "fewstep";
import { openSafetensors, readTensor, writeSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { close } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { FOLDER, layouts, write } from "../layouts.ts";

/** FEWSTEP_PYTHON names another Python, such as a virtual environment's. */
const python = Deno.env.get("FEWSTEP_PYTHON") ?? "python3";

async function run(code: string, ...args: string[]): Promise<void> {
  const env = { HF_HUB_OFFLINE: "1", PYTHONWARNINGS: "ignore" };
  const { success, stderr } = await new Deno.Command(python, { args: ["-c", code, ...args], env }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const ignore = await run("import diffusers, transformers").then(() => false, () => {
  console.log(`skipped: baked folders in diffusers, as ${python} has none (FEWSTEP_PYTHON names one)`);
  return true;
});

const REQUEST: Request = {
  prompt: "neon fish, snow",
  seed: 11,
  steps: 2,
  guidance: 4,
  size: { width: 64, height: 64 },
};

/** Folder, noise and latents' file by name, in JSON, to the latents of that request: one start of Python for all. */
const PIPELINES = `
import json, sys, torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
for folder, noise, made in json.loads(sys.argv[1]):
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    latents = pipe("${REQUEST.prompt}", latents=load_file(noise)["noise"], num_inference_steps=2, guidance_scale=4,
                   width=64, height=64, output_type="latent").images
    save_file({"latents": latents.contiguous()}, made)
`;

/** What is baked, and how far diffusers' latents may be off. */
const SOURCES: Readonly<Record<string, number>> = {
  "tiny-deep": 1e-4,
  "tiny-sharded": 5e-4, // as in the parity tests: zero terminal SNR starts at 4,096 times the noise
  "tiny-sdxl": 1e-4,
  "single file": 1e-4,
};

Deno.test("folders baked from folders, shards, a LoRA and a single file open in diffusers and give the kit's latents", {
  ignore,
}, () =>
  inFolder(async (folder) => {
    const single = join(folder, "model.safetensors");
    await write(single, layouts["single-original"]);
    const wanted = new Map<string, Tensor>();
    const jobs: (readonly string[])[] = [];
    for (const name of Object.keys(SOURCES)) {
      const [baked, noise, made] = ["", "-noise.safetensors", "-latents.safetensors"].map((end) =>
        join(folder, name + end)
      );
      await using model = await open(name === "single file" ? single : goldenPath(name), {
        tokenizer: name === "single file" ? FOLDER : undefined,
        loras: name === "tiny-sdxl" ? [{ path: goldenPath("lora-peft.safetensors"), strength: 0.35 }] : [],
      });
      await bake(model, baked, { layout: "folder", dtype: "fp32" });
      const { step } = await model.generate(REQUEST);
      await writeSafetensors(noise, new Map([["noise", step.noise]]));
      wanted.set(name, step.latent);
      jobs.push([baked, noise, made]);
    }
    await run(PIPELINES, JSON.stringify(jobs));
    for (const [index, [name, tolerance]] of Object.entries(SOURCES).entries()) {
      const latents = await readTensor(await openSafetensors(jobs[index][2]), "latents");
      close(latents.data, wanted.get(name)?.data ?? [], tolerance, name);
    }
  }));
