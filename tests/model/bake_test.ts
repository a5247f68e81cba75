/** Baked files hold, byte for byte, what an independent script that diffusers judged puts into them. */

import { bake, open, type Request } from "fewstep";
import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { openContents } from "fewstep/weights/open.ts";
import { join } from "node:path";
import { close, equal, throwsSentence } from "../assert.ts";
import { copyFolder, editJson, inFolder } from "../files.ts";
import { goldenPath, readGolden } from "../goldens/read.ts";
import { FILES, FOLDER, layouts, write } from "../layouts.ts";

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
      const { sampleSize } = model.checkpoint.unet.architecture;
      equal((await openContents(baked)).unet?.architecture.sampleSize, sampleSize, "the size goes with it");
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

Deno.test("a single file baked as a folder is the folder that it was made of, byte for byte", () =>
  inFolder(async (folder) => {
    const [file, baked] = [join(folder, "model.safetensors"), join(folder, "baked")];
    await write(file, layouts["single-original"]);
    await using model = await open(file, { tokenizer: FOLDER });
    await bake(model, baked, { layout: "folder" });
    for (const name of Object.values(FILES)) {
      equal(await tensorsIn(join(baked, name)), await tensorsIn(join(FOLDER, name)));
    }
  }));

/** What the kit's architectures do not hold and no network reads, and diffusers' files say. */
const LEFT_OUT = [
  "transformers_version",
  "sample_size",
  "bos_token_id",
  "pad_token_id",
  "initializer_factor",
  "initializer_range",
];

async function configsIn(folder: string): Promise<Record<string, unknown>> {
  const names = ["model_index", "unet/config", "vae/config", "text_encoder/config", "text_encoder_2/config"];
  const read = async (name: string) => {
    const config = JSON.parse(await Deno.readTextFile(join(folder, `${name}.json`)));
    return [name, Object.fromEntries(Object.entries(config).filter(([key]) => !LEFT_OUT.includes(key)))];
  };
  return Object.fromEntries(await Promise.all([...names, "scheduler/scheduler_config"].map(read)));
}

const RUNS: Readonly<Record<string, Request>> = {
  "tiny-deep": {
    prompt: "A neon fish!",
    seed: [1, 2n ** 63n - 1n],
    steps: 4,
    guidance: 5,
    size: { width: 64, height: 96 },
  },
  "tiny-sdxl": { ...REQUEST, steps: 4 },
  "tiny-variant": { prompt: "", seed: [2 ** 32 + 7, -1], steps: 2, guidance: 2, size: { width: 64, height: 64 } },
};

for (const [name, request] of Object.entries(RUNS)) {
  Deno.test(`${name} baked as a folder has the configs that diffusers wrote, and gives diffusers' latents`, () =>
    inFolder(async (folder) => {
      const baked = join(folder, "baked");
      {
        await using model = await open(goldenPath(name));
        await bake(model, baked, { layout: "folder" });
      }
      equal(await configsIn(baked), await configsIn(goldenPath(name)));
      const golden = readGolden(`run-${name}.safetensors`);
      await using model = await open(baked);
      const { step } = await model.generate(request);
      step.path.forEach(({ latent }, i) => close(latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`));
    }));
}

Deno.test("shards, fp32 and a scheduler of its own: a folder baked is the same folder, in one file a part", () =>
  inFolder(async (folder) => {
    const [source, baked] = [goldenPath("tiny-sharded"), join(folder, "baked")];
    await using model = await open(source);
    await bake(model, baked, { layout: "folder", dtype: "fp32" });
    equal(await configsIn(baked), await configsIn(source));
    const shards = [...Deno.readDirSync(join(source, "unet"))].filter(({ name }) => name.endsWith(".safetensors"));
    const tensors = await Promise.all(shards.map(({ name }) => tensorsIn(join(source, "unet", name))));
    const sorted = (of: Record<string, string>) => Object.entries(of).sort(([a], [b]) => a < b ? -1 : 1);
    const unet = await tensorsIn(join(baked, "unet/diffusion_pytorch_model.safetensors"));
    equal(sorted(unet), sorted(Object.assign({}, ...tensors)));
  }));

Deno.test("markers and bare words: a folder says in its configs what a single file's tensors and defaults said", () =>
  inFolder(async (folder) => {
    const [file, words, baked] = ["model.safetensors", "words", "baked"].map((name) => join(folder, name));
    await write(file, layouts["single-original"], (tensors) => {
      for (const name of ["v_pred", "ztsnr"]) tensors.set(name, { dtype: "F32", shape: [1], bytes: new Uint8Array(4) });
    });
    await Deno.mkdir(words);
    for (const name of ["vocab.json", "merges.txt"]) {
      await Deno.copyFile(join(FOLDER, "tokenizer", name), join(words, name));
    }
    await using single = await open(file, { tokenizer: words });
    await bake(single, baked, { layout: "folder" });
    await using model = await open(baked);
    const request: Request = { ...REQUEST, prompt: "wow, snow" };
    const [one, other] = [await single.generate(request), await model.generate(request)];
    equal(other.step.trajectory.prediction, "v");
    equal(other.step.latent.data, one.step.latent.data);
    const pads = ["tokenizer", "tokenizer_2"].map((name) =>
      JSON.parse(Deno.readTextFileSync(join(baked, name, "tokenizer_config.json"))).pad_token
    );
    equal(pads, ["<|endoftext|>", "!"]);
  }));

Deno.test("a folder is baked whole, to a new place, or not at all", () =>
  inFolder(async (folder) => {
    const taken = join(folder, "taken");
    await copyFolder(join(FOLDER, "scheduler"), taken);
    await using model = await open(FOLDER);
    await throwsSentence(() => bake(model, taken, { layout: "folder" }), /it is there already\. Name a new folder\.$/);
    await throwsSentence(
      () => bake(model, join(folder, "a", "b"), { layout: "folder" }),
      /folder .*a does not exist\.$/,
    );
    const stop = new AbortController();
    const onProgress = (written: number, total: number) => written === total - 3 && stop.abort(new Error("Stop."));
    const stopped = bake(model, join(folder, "new"), { layout: "folder", signal: stop.signal, onProgress });
    await throwsSentence(() => stopped, /Stop\.$/);
    equal((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), ["taken"]);
  }));

Deno.test("a model that a file without a config would not tell is refused as a single file", () =>
  inFolder(async (folder) => {
    await using model = await open(goldenPath("tiny-deep"));
    const path = join(folder, "model.safetensors");
    await throwsSentence(() => bake(model, path), /^Cannot (bake|tell).*folder/);
    for (const scaling_factor of [0.5, 0.13025]) {
      const own = join(folder, `own-${scaling_factor}`);
      await copyFolder(FOLDER, own);
      await editJson(join(own, "vae", "config.json"), { scaling_factor });
      await using model = await open(own);
      if (scaling_factor === 0.13025) await bake(model, path);
      else {
        await throwsSentence(
          () => bake(model, path),
          /this model has its own: VAE's scaling factor 0\.5, where SDXL's rules give 0\.13025\. Bake a folder\.$/,
        );
      }
    }
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
