/** Baked files hold, byte for byte, what an independent script that diffusers judged puts into them. */

import { bake, open, type Request } from "fewstep";
import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { close, equal, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { FOLDER, layouts, write } from "../layouts.ts";

const REQUEST: Request = {
  prompt: "neon fish, snow",
  seed: 11,
  steps: 2,
  guidance: 4,
  size: { width: 64, height: 64 },
};

async function tensorsIn(path: string): Promise<Record<string, string>> {
  const { tensors } = await openSafetensors(path);
  const bytes = await Deno.readFile(path);
  const found: Record<string, string> = {};
  for (const { name, dtype, shape, offset, byteLength } of tensors.values()) {
    const digest = await crypto.subtle.digest("SHA-256", bytes.slice(offset, offset + byteLength));
    found[name] = `${dtype} [${shape}] ${new Uint8Array(digest).toHex()}`;
  }
  return found;
}

for (const [layout, golden] of [["file", "single-original"], ["unet", "unet-diffusers"]] as const) {
  Deno.test(`a folder baked as "${layout}" is the published layout, byte for byte`, () =>
    inFolder(async (folder) => {
      const [baked, wanted] = [join(folder, "baked.safetensors"), join(folder, "wanted.safetensors")];
      await write(wanted, layouts[golden]);
      await using model = await open(FOLDER);
      const written: number[] = [];
      await bake(model, baked, { layout, onProgress: (count) => written.push(count) });
      equal(await tensorsIn(baked), await tensorsIn(wanted));
      equal(written.length, layouts[golden].length);
    }));
}

Deno.test("a single file baked again is itself", () =>
  inFolder(async (folder) => {
    const [first, second] = [join(folder, "first.safetensors"), join(folder, "second.safetensors")];
    await write(first, layouts["single-original"]);
    await using model = await open(first, { tokenizer: FOLDER });
    await bake(model, second);
    equal(await tensorsIn(second), await tensorsIn(first));
  }));

Deno.test("LoRAs are baked in: the file alone runs as model and LoRA do", () =>
  inFolder(async (folder) => {
    const path = join(folder, "baked.safetensors");
    await using model = await open(FOLDER, { loras: [{ path: goldenPath("lora-peft.safetensors"), strength: 0.35 }] });
    const { step } = await model.generate(REQUEST);
    await bake(model, path, { dtype: "fp32" });
    await using baked = await open(path, { tokenizer: FOLDER });
    const again = (await baked.generate(REQUEST)).step;
    step.path.forEach(({ latent }, i) => close(again.path[i].latent.data, latent.data, 1e-5, `latents ${i}`));
  }));

Deno.test("what half floats cannot hold is refused by name, and nothing is left behind", () =>
  inFolder(async (folder) => {
    const path = join(folder, "baked.safetensors");
    await using model = await open(FOLDER, { loras: [{ path: goldenPath("lora-peft.safetensors"), strength: 1e9 }] });
    await throwsSentence(() => bake(model, path), /Cannot .*bake.*beyond half floats' 65504\. Bake as fp32\.$/);
    const stop = new AbortController();
    const stopped = bake(model, path, {
      dtype: "fp32",
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("Stop.")),
    });
    await throwsSentence(() => stopped, /Stop\.$/);
    equal(await Array.fromAsync(Deno.readDir(folder)), []);
  }));
