/** Files in bfloat16 and in several types at once: cast up, they are what diffusers runs. Goldens: tests/goldens/dtypes.py. */

import { inspect, open } from "fewstep";
import { join } from "node:path";
import { close, equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { readGolden } from "../goldens/read.ts";
import { FOLDER, layouts, type Stored, write } from "../layouts.ts";

/** float32 to bfloat16, the nearest, ties to even, as torch rounds. */
function bfloat16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (bit) => (bit + 0x7fff + ((bit >>> 16) & 1)) >>> 16).buffer);
}

function cast({ shape, bytes }: Stored, dtype: string): Stored {
  const values = new Float32Array(new Float16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));
  if (dtype === "F16") return { dtype, shape, bytes };
  return { dtype, shape, bytes: dtype === "BF16" ? bfloat16(values) : new Uint8Array(values.buffer) };
}

/** By rank, as trainers leave them that keep norms in full precision. */
const MIXED: Readonly<Record<number, string>> = { 1: "F32", 2: "BF16", 4: "F16" };

/** The layout, and the type of each tensor by its rank. */
const CASES = {
  bf16: ["single-original", () => "BF16"],
  mixed: ["single-diffusers", (rank: number) => MIXED[rank]],
} as const;

for (const [name, [layout, typeOf]] of Object.entries(CASES)) {
  Deno.test(`${name}: every latent of diffusers on the same file in float32`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "model.safetensors");
      await write(path, layouts[layout], (tensors) => {
        for (const [key, stored] of tensors) tensors.set(key, cast(stored, typeOf(stored.shape.length)));
      });
      const golden = readGolden(`run-${name}.safetensors`);
      const half = readGolden("run-tiny-sdxl.safetensors");
      await using model = await open(path, { tokenizer: FOLDER });
      const size = { width: 64, height: 64 };
      const { step, image } = await model.generate({
        prompt: "neon fish, snow",
        seed: 11,
        steps: 2,
        guidance: 4,
        size,
      });
      close(step.conditioning.promptEmbeds.data, golden.get("prompt_embeds").data, 1e-5, "prompt_embeds");
      close(step.conditioning.pooledPromptEmbeds.data, golden.get("pooled_prompt_embeds").data, 1e-5, "pooled");
      step.path.forEach(({ latent }, i) => close(latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`));
      close(image.data, golden.get("image").data, 1e-4, "image");
      const [ours, theirs] = [golden.get("prompt_embeds").data, half.get("prompt_embeds").data];
      ok(ours.some((value, i) => Math.abs(value - theirs[i]) > 1e-3), "the types made no difference");

      const report = await inspect(path);
      if (report.inspected !== "checkpoint") throw new Error("taken for a LoRA");
      const types = report.parts.map(({ dtypes }) => dtypes.map(({ dtype }) => dtype).sort());
      equal(types[0], name === "bf16" ? ["BF16"] : ["BF16", "F16", "F32"]);
      equal(report.faults, []);
    }));
}
