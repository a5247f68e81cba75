/**
 * How far each kind of layer moves the U-Net's output when it alone is quantised to 8 bits: relative L2 against
 * float32, the worst of three noise levels, on the pocket teacher, whose weights are trained.
 *
 * Command: deno run -A bench/int8_sensitivity.ts
 */

import { open } from "../lib/mod.ts";
import { samplers } from "../lib/diffusion/mod.ts";
import type { Lowering } from "../lib/graph/builder.ts";
import { layerWeights } from "../lib/graph/int8.ts";
import { buildUnet } from "../lib/graph/unet.ts";
import { int8Unet } from "../lib/model/int8.ts";
import { keptInFloat32 } from "../lib/model/int8_layers.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { Tensor } from "../lib/tensor/tensor.ts";
import { relativeL2 } from "../tests/assert.ts";
import { report } from "./harness.ts";

const GROUPS: Readonly<Record<string, RegExp>> = {
  "self-attention q, k, v": /attn1\.to_[qkv]\./,
  "self-attention out": /attn1\.to_out/,
  "cross-attention q": /attn2\.to_q\./,
  "cross-attention k, v": /attn2\.to_[kv]\./,
  "cross-attention out": /attn2\.to_out/,
  "feed-forward in": /ff\.net\.0/,
  "feed-forward out": /ff\.net\.2/,
  "proj_in": /proj_in/,
  "proj_out": /proj_out/,
  "resnets' first convolution": /resnets\.\d+\.conv1\./,
  "resnets' second convolution": /resnets\.\d+\.conv2\./,
  "resnets' shortcut": /conv_shortcut\./,
  "samplers' convolution": /samplers\.\d+\.conv\./,
  "first and last convolution": /^conv_(in|out)\./,
  "time and size embeddings": /(time_embedding|add_embedding|time_emb_proj)\./,
  "all but those kept": /^/,
  "all": /^/,
};

const MODEL = "models/pocket/base";
const folder = await Deno.makeTempDir();
await using model = await open(MODEL);
const { unet } = model.checkpoint;
const runtime = onnxRuntimeCpu();

const start = await model.begin({ prompt: "a tiger face, crown, neon lights", seed: 7, steps: 8, guidance: 0 });
const path = [start];
for (let i = 0; i < 6; i++) path.push(await model.next(path[path.length - 1]));
const feeds = [path[0], path[3], path[6]].map(({ latent, trajectory: { sampler, schedule }, conditioning, index }) => ({
  sample: samplers[sampler].scaleInput(latent, schedule.sigmas[index]),
  timestep: Tensor.of([schedule.timesteps[index]]),
  encoder_hidden_states: conditioning.context,
  text_embeds: conditioning.pooled,
  time_ids: conditioning.timeIds,
}));

async function outputs(lowering = runtime.lowering): Promise<Tensor[]> {
  const session = await runtime.load(buildUnet(unet.architecture, unet.weights, { lowering }));
  const found: Tensor[] = [];
  for (const each of feeds) {
    const output = (await session.run(each)).get("out_sample");
    if (output === undefined) throw new Error("Cannot measure: the U-Net gave no out_sample.");
    found.push(output);
  }
  await session.release();
  return found;
}

try {
  const exact = await outputs();
  const build = (lowering: Lowering) => buildUnet(unet.architecture, unet.weights, { lowering });
  const { linear, convolutions } = layerWeights(runtime.lowering, build);
  const keys = [...linear, ...convolutions];
  const rows: Record<string, { weights: number; relativeL2: number }> = {};
  for (const [name, pattern] of Object.entries(GROUPS)) {
    const includes = (key: string) =>
      pattern.test(key) && (name !== "all but those kept" || keptInFloat32(key) === undefined);
    const off = await outputs(await int8Unet(runtime.lowering, unet, { folder, includes }));
    rows[name] = {
      weights: keys.filter(({ key }) => includes(key)).length,
      relativeL2: Math.max(...off.map(({ data }, i) => relativeL2(data, exact[i].data))),
    };
  }
  await report("int8_sensitivity", "deno run -A bench/int8_sensitivity.ts", rows);
} finally {
  await Deno.remove(folder, { recursive: true });
}
