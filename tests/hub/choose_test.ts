import { choose, missingParts } from "../../lib/hub/choose.ts";
import { equal, ok } from "../assert.ts";

/** As published: stabilityai/stable-diffusion-xl-base-1.0, with its exports for other runtimes. */
const base = [
  ".gitattributes",
  "01.png",
  "LICENSE.md",
  "README.md",
  "model_index.json",
  "scheduler/scheduler_config.json",
  "sd_xl_base_1.0.safetensors",
  "sd_xl_base_1.0_0.9vae.safetensors",
  "sd_xl_offset_example-lora_1.0.safetensors",
  ...["text_encoder", "text_encoder_2"].flatMap((part) => [
    `${part}/config.json`,
    `${part}/flax_model.msgpack`,
    `${part}/model.fp16.safetensors`,
    `${part}/model.onnx`,
    `${part}/model.safetensors`,
    `${part}/openvino_model.bin`,
    `${part}/openvino_model.xml`,
  ]),
  ...["tokenizer", "tokenizer_2"].flatMap((part) => [
    `${part}/merges.txt`,
    `${part}/special_tokens_map.json`,
    `${part}/tokenizer_config.json`,
    `${part}/vocab.json`,
  ]),
  "unet/config.json",
  "unet/diffusion_flax_model.msgpack",
  "unet/diffusion_pytorch_model.fp16.safetensors",
  "unet/diffusion_pytorch_model.safetensors",
  "unet/model.onnx",
  "unet/model.onnx_data",
  "vae/config.json",
  "vae/diffusion_pytorch_model.fp16.safetensors",
  "vae/diffusion_pytorch_model.safetensors",
  "vae_1_0/config.json",
  "vae_1_0/diffusion_pytorch_model.safetensors",
  "vae_decoder/config.json",
  "vae_decoder/model.onnx",
];

const configs = [
  "model_index.json",
  "scheduler/scheduler_config.json",
  "text_encoder/config.json",
  "text_encoder_2/config.json",
  ...["tokenizer", "tokenizer_2"].flatMap((part) =>
    ["merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"].map((file) => `${part}/${file}`)
  ),
  "unet/config.json",
  "vae/config.json",
];

const weights = (variant: string) => [
  `text_encoder/model${variant}.safetensors`,
  `text_encoder_2/model${variant}.safetensors`,
  `unet/diffusion_pytorch_model${variant}.safetensors`,
  `vae/diffusion_pytorch_model${variant}.safetensors`,
];

function chosen(paths: readonly string[], variant?: string): string[] {
  const choice = choose(paths, variant);
  if ("fault" in choice) throw new Error(choice.fault);
  return [...choice.files].sort();
}

function fault(paths: readonly string[]): string {
  const choice = choose(paths);
  return "fault" in choice ? choice.fault : `chosen: ${choice.files}`;
}

Deno.test("of SDXL base come the configs, the vocabularies and one form of the weights, of 7 in all nothing twice", () => {
  equal(chosen(base), [...configs, ...weights("")].sort());
  equal(chosen(base, "fp16"), [...configs, ...weights(".fp16")].sort());
  equal(
    chosen(base, "bf16"),
    [...configs, ...weights("")].sort(),
    "a variant that is not there gives the plain weights",
  );
});

Deno.test("where there is only fp16, fp16 comes", () => {
  const half = base.filter((path) => !/model\.safetensors$/.test(path));
  equal(chosen(half), [...configs, ...weights(".fp16")].sort());
});

Deno.test("sharded weights come with their index and all of their shards", () => {
  const shard = (form: string, i: number) => `unet/diffusion_pytorch_model${form}-0000${i}-of-00002.safetensors`;
  const rest = base.filter((path) => !/^unet\/.*safetensors/.test(path));
  const plain = ["unet/diffusion_pytorch_model.safetensors.index.json", shard("", 1), shard("", 2)];
  const half = ["unet/diffusion_pytorch_model.safetensors.index.fp16.json", shard(".fp16", 1), shard(".fp16", 2)];
  const both = [...rest, ...plain, ...half];
  equal(chosen(both).filter((path) => path.startsWith("unet/diff")), [...plain].sort());
  equal(chosen(both, "fp16").filter((path) => path.startsWith("unet/diff")), [...half].sort());
  ok(/unet has no .safetensors weights/.test(fault([...rest, ...plain.slice(0, 2)])), "a shard is missing");
});

Deno.test("a repository of one network gives its config and weights; one checkpoint alone gives itself", () => {
  const vae = ["README.md", "config.json", "diffusion_pytorch_model.safetensors", "sdxl_vae.safetensors"];
  equal(chosen(vae), ["config.json", "diffusion_pytorch_model.safetensors"]);
  equal(chosen(["README.md", "pytorch_lora_weights.safetensors"]), ["pytorch_lora_weights.safetensors"]);
});

Deno.test("several checkpoints side by side are listed, not guessed at", () => {
  const files = [1, 2, 4, 8].map((steps) => `sdxl_lightning_${steps}step.safetensors`);
  equal(fault([...files, "README.md"]), `it is no diffusers folder; name one of its files: ${files.join(", ")}`);
  const many = Array.from({ length: 25 }, (_, i) => `${String.fromCharCode(97 + i)}.safetensors`);
  ok(fault(many).endsWith("t.safetensors and 5 more"), fault(many));
});

Deno.test("pickled weights are refused by name", () => {
  const pickled = base.filter((path) => !path.startsWith("vae/")).concat(
    "vae/config.json",
    "vae/diffusion_pytorch_model.bin",
  );
  equal(fault(pickled), "its vae has no .safetensors weights; it has vae/config.json, vae/diffusion_pytorch_model.bin");
  equal(fault(["README.md", "model.ckpt"]), "it has neither a model_index.json nor .safetensors weights");
});

Deno.test("a folder lacks the parts that its index names and that it does not hold whole", () => {
  const index = {
    _class_name: "StableDiffusionXLPipeline",
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    image_encoder: [null, null],
    text_encoder: [null, null],
  };
  equal(missingParts(index, base), []);
  equal(missingParts(index, ["model_index.json"]), ["tokenizer", "unet", "vae"]);
  equal(missingParts(index, base.filter((path) => path !== "vae/config.json")), ["vae"]);
});
