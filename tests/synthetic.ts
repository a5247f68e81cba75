/**
 * Checkpoints of any size without weights: SDXL's own architecture as sparse files, which take no room and no time.
 * The names and shapes are those that the graphs ask for; tests hold their number against the published ones.
 */

import { cpu } from "../lib/graph/lowering.ts";
import { buildClipText } from "../lib/graph/clip.ts";
import { buildUnet } from "../lib/graph/unet.ts";
import { buildVaeDecoder, buildVaeEncoder } from "../lib/graph/vae.ts";
import { float16FromFloat32 } from "../lib/tensor/half.ts";
import { torchGenerator } from "../lib/tensor/random/mod.ts";
import { type Shape, sizeOf } from "../lib/tensor/tensor.ts";
import { readClipTextConfig } from "../lib/weights/clip_config.ts";
import { readUnetConfig, readVaeConfig } from "../lib/weights/config.ts";
import {
  originalTextEncoder,
  originalTextEncoder2,
  originalUnet,
  originalVae,
  type Stored,
} from "../lib/weights/keys/original_names.ts";
import type { WeightRef, WeightSource } from "../lib/weights/weights.ts";
import { join } from "node:path";

/** Notes every tensor that a graph asks for. */
export class Asked implements WeightSource {
  readonly shapes = new Map<string, Shape>();

  constructor(readonly part: string) {}

  has(): boolean {
    return true; // the published names have the prefix text_model.
  }

  get(key: string, shape: Shape): WeightRef {
    this.shapes.set(key, shape);
    return { key, file: "/asked", dtype: "F16", shape, offset: 0, byteLength: 2 * sizeOf(shape) };
  }
}

/** stabilityai/stable-diffusion-xl-base-1.0's configs, as far as they say anything about the networks. */
export const SDXL_CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  unet: {
    _class_name: "UNet2DConditionModel",
    addition_embed_type: "text_time",
    addition_time_embed_dim: 256,
    attention_head_dim: [5, 10, 20],
    block_out_channels: [320, 640, 1280],
    cross_attention_dim: 2048,
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    in_channels: 4,
    layers_per_block: 2,
    projection_class_embeddings_input_dim: 2816,
    sample_size: 128,
    transformer_layers_per_block: [1, 2, 10],
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    use_linear_projection: true,
  },
  vae: {
    _class_name: "AutoencoderKL",
    block_out_channels: [128, 256, 512, 512],
    latent_channels: 4,
    layers_per_block: 2,
    scaling_factor: 0.13025,
  },
  text_encoder: {
    hidden_act: "quick_gelu",
    hidden_size: 768,
    intermediate_size: 3072,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    eos_token_id: 2,
  },
  text_encoder_2: {
    hidden_act: "gelu",
    hidden_size: 1280,
    intermediate_size: 5120,
    num_attention_heads: 20,
    num_hidden_layers: 32,
    projection_dim: 1280,
    eos_token_id: 2,
  },
};

const STEMS: Readonly<Record<string, string>> = {
  unet: "diffusion_pytorch_model",
  vae: "diffusion_pytorch_model",
  text_encoder: "model",
  text_encoder_2: "model",
};

/** Every tensor of a part by its published name, as its graph asks for it. */
export async function tensorsOf(part: string, configPath: string): Promise<ReadonlyMap<string, Shape>> {
  const asked = new Asked(part);
  if (part === "unet") buildUnet(await readUnetConfig(configPath), asked, { lowering: cpu });
  else if (part === "vae") buildVaeDecoder(await readVaeConfig(configPath), asked, { lowering: cpu });
  else buildClipText(await readClipTextConfig(configPath, part === "text_encoder_2"), asked, { lowering: cpu });
  return asked.shapes;
}

/** Writes a diffusers folder of fp16 zeros that take no room on disk. */
export async function writeSyntheticFolder(folder: string, configs = SDXL_CONFIGS): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "model_index.json"), `{"_class_name": "StableDiffusionXLPipeline"}`);
  for (const [part, config] of Object.entries(configs)) {
    await Deno.mkdir(join(folder, part), { recursive: true });
    const configPath = join(folder, part, "config.json");
    await Deno.writeTextFile(configPath, JSON.stringify(config));
    await writeSparse(join(folder, part, `${STEMS[part]}.fp16.safetensors`), await tensorsOf(part, configPath));
  }
}

/** A safetensors file whose header is real and whose data is a hole. */
export async function writeSparse(path: string, shapes: ReadonlyMap<string, Shape>): Promise<void> {
  let end = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of shapes) {
    header[name] = { dtype: "F16", shape, data_offsets: [end, end += 2 * sizeOf(shape)] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = new Uint8Array(8 + json.length);
  new DataView(start.buffer).setBigUint64(0, BigInt(json.length), true);
  start.set(json, 8);
  await Deno.writeFile(path, start);
  await Deno.truncate(path, start.length + end);
}

/** Fills what a sparse file holds after its header with half floats. The block's length is prime: no two tensors are alike. */
export async function fillWithNormals(path: string): Promise<void> {
  const block = float16FromFloat32(torchGenerator(0).randn(33_554_393).values.map((value) => 0.02 * value));
  using file = await Deno.open(path, { read: true, write: true });
  const length = new Uint8Array(8);
  await file.read(length);
  const { size } = await file.stat();
  let at = await file.seek(8 + Number(new DataView(length.buffer).getBigUint64(0, true)), Deno.SeekMode.Start);
  while (at < size) at += await file.write(block.subarray(0, size - at));
}

type Shapes = ReadonlyMap<string, Shape>;

/** All tensors of SDXL at its full size under diffusers' names: those that no graph reads, too. */
async function allTensors(folder: string) {
  const path = (part: string) => join(folder, `${part}.json`);
  for (const [part, config] of Object.entries(SDXL_CONFIGS)) {
    await Deno.writeTextFile(path(part), JSON.stringify(config));
  }
  const vae = await readVaeConfig(path("vae"));
  const encoder = new Asked("vae");
  buildVaeEncoder(vae, encoder, { lowering: cpu });
  // SDXL reads the first text encoder's last layer but one; the file has the last, and the norm after it.
  const first = await readClipTextConfig(path("text_encoder"), false);
  const read = new Asked("text_encoder");
  buildClipText({ ...first, layers: first.layers + 1 }, read, { lowering: cpu });
  const norm = "text_model.final_layer_norm";
  const unread: [string, Shape][] = ["weight", "bias"].map((kind) => [`${norm}.${kind}`, [first.hiddenSize]]);
  return {
    unetArchitecture: await readUnetConfig(path("unet")),
    vaeArchitecture: vae,
    unet: await tensorsOf("unet", path("unet")),
    vae: new Map([...encoder.shapes, ...await tensorsOf("vae", path("vae"))]),
    text_encoder: new Map([...read.shapes, ...unread]),
    text_encoder_2: await tensorsOf("text_encoder_2", path("text_encoder_2")),
  };
}

/** What SDXL's published files hold at their full size, by name: see tests/goldens/published.py. */
export async function publishedTensors(): Promise<Record<"single-original" | "unet-diffusers" | "lora", Shapes>> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-test-" });
  try {
    const { unet, vae, text_encoder, text_encoder_2, unetArchitecture, vaeArchitecture } = await allTensors(folder);
    const stored = (of: Shapes, rows: readonly Stored[]) =>
      rows.map(({ name, keys, how }): [string, Shape] => {
        const [first, ...inner] = of.get(keys[0]) ?? [];
        const shape = [first * keys.length, ...inner];
        return [name, how === "transpose" ? shape.toReversed() : how === "unsqueeze" ? [...shape, 1, 1] : shape];
      });
    return {
      "single-original": new Map([
        ...stored(unet, originalUnet([...unet.keys()], unetArchitecture)),
        ...stored(vae, originalVae([...vae.keys()], vaeArchitecture)),
        ...stored(text_encoder, originalTextEncoder([...text_encoder.keys()])),
        ...stored(text_encoder_2, originalTextEncoder2([...text_encoder_2.keys()])),
      ]),
      "unet-diffusers": unet,
      "lora": loraOf(unet, 64),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** ByteDance's Lightning LoRA: kohya's prefix before diffusers' names, every layer within the blocks. */
function loraOf(unet: Shapes, rank: number): Shapes {
  return new Map([...unet].flatMap(([key, [out, ...inner]]): [string, Shape][] => {
    if (!/^(down|mid|up)_block.*\.weight$/.test(key) || inner.length === 0) return [];
    const name = `lora_unet_${key.slice(0, -".weight".length).replaceAll(".", "_")}`;
    return [
      [`${name}.lora_down.weight`, [rank, ...inner]],
      [`${name}.lora_up.weight`, [out, rank, ...inner.slice(1).map(() => 1)]],
      [`${name}.alpha`, []],
    ];
  }));
}
