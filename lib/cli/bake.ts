/** `deno task bake`: a model with its LoRAs fused, or only in another layout, as files that other tools read. */

import { type Command, main } from "./args.ts";
import { BAKE_DTYPES, BAKE_LAYOUTS } from "../model/bake.ts";
import { loraOf } from "./lora.ts";
import { MODEL_OPTIONS } from "./model_options.ts";
import { wantWritable } from "./output.ts";

export const bakeCommand: Command = {
  name: "bake",
  about:
    "Writes a model, with LoRAs fused into it, in another layout: one file under the original names, a diffusers folder, or the U-Net alone.",
  options: {
    ...MODEL_OPTIONS,
    tokenizer: { value: "DIR", about: "vocabularies, for a single file whose own is not CLIP's" },
    lora: { value: "FILE[=STRENGTH]", about: "a LoRA, default strength 1; may be given several times", multiple: true },
    layout: {
      value: "NAME",
      about: "file (default): all of it, under the original names; folder: diffusers'; unet: a U-Net",
    },
    dtype: { value: "NAME", about: "fp16 (default) or fp32" },
    out: { value: "PATH", about: "where it goes: a file, or a new folder" },
  },
  examples: [
    "deno task bake --model sdxl.safetensors --lora sdxl_lightning_4step_lora.safetensors --out lightning.safetensors",
    "deno task bake --model models/pocket/base --layout folder --dtype fp32 --out pocket",
  ],
  async run(args, { signal }) {
    const path = args.required("model", "a diffusers folder or a .safetensors checkpoint");
    const out = args.required("out", "where it goes, for example model.safetensors");
    const layout = args.oneOf("layout", BAKE_LAYOUTS);
    const dtype = args.oneOf("dtype", BAKE_DTYPES);
    if (layout !== "folder") await wantWritable([out]);
    const { open } = await import("../model/open.ts");
    const { bake } = await import("../model/bake.ts");
    await using model = await open(path, {
      unet: args.text("unet"),
      vae: args.text("vae"),
      tokenizer: args.text("tokenizer"),
      loras: args.texts("lora").map(loraOf),
      warn: (message) => console.error(message),
    });
    await bake(model, out, { layout, dtype, signal });
    console.log(out);
  },
};

if (import.meta.main) await main(bakeCommand);
