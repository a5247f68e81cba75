import { open, profile, type ProfileRow } from "fewstep";
import { blockOf, kindOf, readTrace, rollUp } from "fewstep/measure/profile.ts";
import { equal, ok, throwsSentence } from "../assert.ts";

const node = (name: string, dur: number, args: Record<string, string> = {}) => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  dur,
  args: { op_name: name.split(/[/_]/).at(-1), output_size: "8", mem_in_use_peak: "100", ...args },
});
const run = (times: readonly number[]) => [
  node("mid_block.attentions.0.transformer_blocks.0.attn2.to_q/MatMul", times[0]),
  node("BiasGelu", times[1], { op_name: "BiasGelu" }),
  node("mid_block.resnets.1.conv1/Conv", times[2], { mem_in_use_peak: "900" }),
  node("out_sample", times[3], { op_name: "Conv" }),
  { cat: "Session", name: "model_run", dur: 999, args: {} },
];
const layers = {
  weights: new Map([
    ["mid_block.attentions.0.transformer_blocks.0.attn2.to_q", 8],
    ["mid_block.resnets.1.conv1", 40],
    ["conv_out", 2],
  ]),
  outputs: new Map([["out_sample", "conv_out"]]),
};
const trace = (...runs: readonly (readonly number[])[]) => JSON.stringify(runs.flatMap(run));

Deno.test("a trace rolls up to blocks: the fastest run after the warm-up counts, nameless operators follow the layer before", () => {
  const profile = readTrace(trace([1, 1, 1, 1], [4000, 1000, 3000, 500], [2000, 5000, 7000, 500]), {
    part: "unet",
    warmUp: 1,
    layers,
  });
  equal(profile.peak, 900);
  equal(profile.milliseconds, 2 + 1 + 3 + 0.5);
  const rows = rollUp([profile], "block").map(({ name, operators, milliseconds, weights }) => ({
    name,
    operators,
    milliseconds,
    weights,
  }));
  equal(rows, [
    { name: "mid_block.attentions.0", operators: 2, milliseconds: 3, weights: 8 },
    { name: "mid_block.resnets.1", operators: 1, milliseconds: 3, weights: 40 },
    { name: "conv_out", operators: 1, milliseconds: 0.5, weights: 2 },
  ]);
  equal(rollUp([profile], "kind").map(({ name }) => name), ["convolutions", "cross-attention"]);
  equal(rollUp([profile], "operator").map(({ name }) => name), ["Conv", "MatMul", "BiasGelu"]);
});

Deno.test("blocks and kinds are told by the layer's name in every network", () => {
  equal(blockOf("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q"), "down_blocks.1.attentions.0");
  equal(blockOf("decoder.up_blocks.2.upsamplers.0.conv"), "decoder.up_blocks.2.upsamplers.0");
  equal(blockOf("text_model.encoder.layers.11.self_attn.q_proj"), "text_model.encoder.layers.11");
  equal(blockOf("time_embedding.linear_1"), "time_embedding");
  equal(kindOf("up_blocks.0.attentions.0.transformer_blocks.3.attn1.to_out.0"), "self-attention");
  equal(kindOf("up_blocks.0.attentions.0.transformer_blocks.3.ff.net.0.proj.gate"), "feed-forward");
  equal(kindOf("up_blocks.0.attentions.0.transformer_blocks.3.norm2"), "around attention");
  equal(kindOf("up_blocks.0.resnets.0.time_emb_proj"), "convolutions");
  equal(kindOf("add_embedding.linear_1"), "embeddings and the rest");
});

Deno.test("a trace that is none is refused in a sentence", async () => {
  await throwsSentence(
    () => readTrace("{}", { part: "unet", warmUp: 0, layers }),
    /Cannot read the profile of the unet/,
  );
  await throwsSentence(() => readTrace(trace([1, 1, 1, 1]), { part: "unet", warmUp: 1, layers }), /it holds no run/);
});

Deno.test("a run's profile: every network, every weight, blocks of the U-Net in their order; the model goes on after", async () => {
  await using model = await open("models/pocket/base");
  const request = { prompt: "red apple", guidance: 4, steps: 7 };
  const before = await model.next(await model.begin(request));
  const found = await profile(model, request, { rounds: 2 });
  equal(found.steps, 7);
  equal(found.networks.map(({ part }) => part), ["text_encoder", "text_encoder_2", "unet", "vae decoder"]);
  const rows = found.rows("block", "unet");
  ok(Math.abs(rows.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9, "shares are of the whole");
  ok(rows.every(({ milliseconds }) => milliseconds > 0), "every block takes time");
  const blocks = rows.map(({ name }) => name).filter((name) => name.startsWith("down_blocks.1"));
  equal(blocks, ["down_blocks.1.resnets.0", "down_blocks.1.attentions.0", "down_blocks.1.downsamplers.0"]);
  const { unet } = model.checkpoint;
  const bytes = (rows: readonly ProfileRow[]) => rows.reduce((sum, { weights }) => sum + (weights ?? 0), 0);
  const stored = unet.weights.refs.reduce((sum, { byteLength }) => sum + byteLength, 0);
  equal(bytes(rows), stored);
  equal(bytes(found.rows("part", "unet")), stored);
  await throwsSentence(
    () => found.rows("block", "vae"),
    /Cannot profile "vae": no such network ran\. Those that did: text_enc/,
  );
  equal((await model.next(before.path[0])).latent.data, before.latent.data);
});
