/** One description of a network in each provider's operators, in pieces, in fewer bits: all say the same. On the processor. */

import { cpu, cpuLean, cuda, cudaHalf, openvino, webgpu, webgpuHalf } from "fewstep/graph/lowering.ts";
import type { Lowering, Network } from "fewstep/graph/builder.ts";
import { buildClipText } from "fewstep/graph/clip.ts";
import { cut, pinned, weightBytes } from "fewstep/graph/rewrite.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { loadInPieces } from "fewstep/model/sessions/pieces.ts";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import type { Feeds, Outputs } from "fewstep/model/sessions/session.ts";
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

Deno.test("in pieces: each has a part of the weights, together they give the whole's output", async () => {
  const whole = unetBy(cpuLean);
  const limit = weightBytes(whole) / 8;
  const pieces = cut(whole, limit);
  ok(pieces.length >= 6, `only ${pieces.length} pieces`);
  equal(pieces.reduce((sum, piece) => sum + weightBytes(piece), 0), weightBytes(whole));
  ok(Math.max(...pieces.map(weightBytes)) < 2 * limit, "a piece is much larger than the others");

  const held: string[] = [];
  const session = await loadInPieces(whole, async (network) => {
    held.push(network.name);
    const inner = await runtime.load(network);
    return { run: (feeds) => inner.run(feeds), release: () => (held.pop(), inner.release()) };
  }, { whole: 0, piece: limit });
  for (let i = 0; i < 2; i++) {
    close(outputOf(await session.run(feeds), "out_sample"), await wantedOutput(), 1e-5);
    equal(held, [], "a piece was not released");
  }
});

Deno.test("known sizes are the inputs' sizes, and change nothing", async () => {
  const shapes = new Map(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));
  const network = pinned(unetBy(webgpu), shapes);
  equal(network.inputs.find(({ name }) => name === "sample")?.shape, [2, 4, 8, 8]);
  close(outputOf(await run(network, feeds), "out_sample"), await wantedOutput(), 1e-5);
});
