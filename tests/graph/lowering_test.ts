/** One description of a network in each provider's operators, in fewer bits: all say the same. On the processor. */

import { boundedAttention } from "fewstep/graph/decomposed.ts";
import { cpu, cpuLean, cuda, cudaHalf, openvino, webgpu, webgpuHalf } from "fewstep/graph/lowering.ts";
import { Graph, type Lowering, type Network } from "fewstep/graph/builder.ts";
import { buildClipText } from "fewstep/graph/clip.ts";
import { partsOf } from "fewstep/graph/proto.ts";
import { pinned } from "fewstep/graph/rewrite.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { Loras } from "fewstep/model/loras.ts";
import { open } from "fewstep/model/open.ts";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import type { Feeds, Outputs } from "fewstep/model/sessions/session.ts";
import { readMemory, resetPeak } from "fewstep/measure/memory.ts";
import { Tensor } from "fewstep/tensor/tensor.ts";
import { openCheckpoint } from "fewstep/weights/open.ts";
import { inputsOf } from "../../bench/unet_inputs.ts";
import { close, equal, ok, relativeL2 } from "../assert.ts";
import { goldenPath } from "../goldens/read.ts";

const { unet: { architecture, weights }, textEncoder2 } = await openCheckpoint(goldenPath("tiny-sdxl"));
const feeds = inputsOf(architecture, { batch: 2, side: 8 });
const runtime = onnxRuntimeCpu({ threads: 1 }); // beside other work, threads wait for each other

async function run(network: Network, inputs: Feeds): Promise<Outputs> {
  const session = await runtime.load(network);
  try {
    return await session.run(inputs);
  } finally {
    await session.release();
  }
}

/** The processor's own output. */
let known: Promise<Float32Array> | undefined;
const wantedOutput = () => known ??= run(unetBy(cpu), feeds).then((outputs) => outputOf(outputs, "out_sample"));

const unetBy = (lowering: Lowering) => buildUnet(architecture, weights, { lowering });
const outputOf = (outputs: Outputs, name: string) => outputs.get(name)?.data ?? new Float32Array();

Deno.test("every lowering of the U-Net gives the processor's output; in half floats, within 1e-2", async () => {
  const wanted = await wantedOutput();
  for (const lowering of [cpuLean, webgpu, cuda, openvino]) {
    close(outputOf(await run(unetBy(lowering), feeds), "out_sample"), wanted, 1e-5, lowering.name);
  }
  for (const lowering of [webgpuHalf, cudaHalf]) {
    const off = relativeL2(outputOf(await run(unetBy(lowering), feeds), "out_sample"), wanted);
    ok(off > 1e-5 && off < 1e-2, `${lowering.name} is ${off} off`);
  }
});

Deno.test("with a LoRA beside the weights every lowering gives the processor's output", async () => {
  const pocket = new URL("../../models/pocket/", import.meta.url).pathname;
  await using model = await open(`${pocket}base`, { loras: [`${pocket}lightning_4step_lora.safetensors`] });
  const { unet } = model.checkpoint;
  const loras = new Loras(model.loras, "branch");
  const inputs = inputsOf(unet.architecture, { side: 8 });
  const given = { ...inputs, ...loras.feeds("unet", [0.7]) };
  const by = async (lowering: Lowering) => {
    const network = buildUnet(unet.architecture, unet.weights, { lowering, adapters: loras.adapters("unet") });
    return outputOf(await run(network, given), "out_sample");
  };
  const wanted = await by(cpu);
  const without = await run(buildUnet(unet.architecture, unet.weights, { lowering: cpu }), inputs);
  ok(relativeL2(outputOf(without, "out_sample"), wanted) > 1e-3, "the LoRA changed nothing");
  for (const lowering of [webgpu, cuda, openvino]) close(await by(lowering), wanted, 1e-5, lowering.name);
  for (const lowering of [webgpuHalf, cudaHalf]) close(await by(lowering), wanted, 1e-2, lowering.name);
});

Deno.test("every lowering of a text encoder gives the processor's states and pooled vector, mask and place included", async () => {
  const { architecture: clip, weights } = textEncoder2;
  const ids = Int32Array.from({ length: 2 * clip.positions }, (_, i) => (7 * i) % clip.vocabularySize);
  const inputs: Feeds = {
    input_ids: { data: ids, shape: [2, clip.positions] },
    eos_position: { data: Int32Array.of(3, clip.positions - 1), shape: [2] },
  };
  const outputs = await run(buildClipText(clip, weights, { lowering: cpu }), inputs);
  for (const lowering of [webgpu, webgpuHalf, openvino]) {
    const others = await run(buildClipText(clip, weights, { lowering }), inputs);
    const tolerance = lowering.compute === "float16" ? 1e-2 : 1e-5;
    for (const name of ["hidden_states", "text_embeds"]) {
      close(outputOf(others, name), outputOf(outputs, name), tolerance, `${lowering.name}, ${name}`);
    }
  }
});

/** Attention alone, of one picture's places with each other. */
function attentionOf(
  places: number,
  heads: number,
  { batch = 1, limit }: { batch?: number; limit?: number } = {},
): Network {
  const lowering = limit === undefined ? webgpu : { ...webgpu, attention: boundedAttention(limit) };
  const graph = new Graph({ name: "attention", weights, lowering, size: [batch, 4, places, 1] });
  const channels = 64 * heads;
  const [q, k, v] = ["q", "k", "v"].map((name) => graph.input(name, "float32", [batch, places, channels], channels));
  const g = graph.at("attention");
  graph.output("y", lowering.attention(g, q, k, v, heads, "none", g.area(1)), [batch, places, channels]);
  return graph.finish();
}

const softmaxes = ({ bytes }: Network) => partsOf(bytes).nodes.filter(({ opType }) => opType === "Softmax").length;

Deno.test("scores that no buffer holds: queries in slices give the same, in less memory", async () => {
  const places = 4096;
  const inputs = Object.fromEntries(["q", "k", "v"].map((name, n) => {
    const data = Float32Array.from({ length: places * 64 }, (_, i) => Math.sin(i * (n + 1)));
    return [name, new Tensor(data, [1, places, 64])];
  }));
  const grown = async (network: Network) => {
    resetPeak();
    const before = readMemory().resident;
    const output = outputOf(await run(network, inputs), "y");
    return { output, memory: readMemory().peak - before };
  };
  const slices = attentionOf(places, 1, { limit: 2 ** 22 });
  equal(softmaxes(slices), 16);
  const [bounded, whole] = [await grown(slices), await grown(attentionOf(places, 1))];
  close(bounded.output, whole.output, 1e-6);
  const least = 2 ** 25; // half of the scores: what the system counts is rough
  if (Deno.build.os === "linux") {
    ok(bounded.memory < whole.memory - least, `${bounded.memory} bytes in slices, ${whole.memory} whole`);
  }
});

Deno.test("attention is sliced where a network is loaded for its size, and only where it has to be", async () => {
  // SDXL's own: 10 and 20 heads of 64x64 and 32x32 places, twice for guidance, and its decoder's one head of 128x128.
  equal(softmaxes(attentionOf(4096, 10, { batch: 2 })), 11);
  equal(softmaxes(attentionOf(1024, 20, { batch: 2 })), 2);
  equal(softmaxes(attentionOf(16384, 1)), 8);
  equal(softmaxes(attentionOf(1024, 10)), 1);

  const sizes = new Map(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));
  const whole = unetBy(webgpu);
  equal(softmaxes(pinned(whole, sizes)), softmaxes(whole));
  // At 4x4 places 3 queries at once, at 2x2 all of them.
  const sliced = pinned(unetBy({ ...webgpu, attention: boundedAttention(3 * 2 * 2 * 16 * 4) }), sizes);
  ok(softmaxes(sliced) > softmaxes(whole), "nothing was sliced");
  close(outputOf(await run(sliced, feeds), "out_sample"), await wantedOutput(), 1e-5);
});

Deno.test("known sizes are the inputs' sizes, and change nothing", async () => {
  const shapes = new Map(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));
  const network = pinned(unetBy(webgpu), shapes);
  equal(network.inputs.find(({ name }) => name === "sample")?.shape, [2, 4, 8, 8]);
  close(outputOf(await run(network, feeds), "out_sample"), await wantedOutput(), 1e-5);
});
