/**
 * A step of SDXL's U-Net at its full size (2.57 G parameters, half floats in the file) on a GPU: the kit against
 * diffusers on the same GPU, in turn. Same weights, same inputs; inputs and outputs in the processor's memory for both.
 *
 *     deno run -A bench/unet_gpu.ts PYTHON [--ways cuda:fp16,cuda:fp32] [--peers fp16,fp32,compile]
 *         [--side 128] [--batch 2] [--rounds 10]
 *
 * A way is a device and a precision; webgpu is another. PYTHON has torch for CUDA, and diffusers. Weights of 5.1 GB are
 * made at random in the temporary folder. Off is told as relative L2 from the peer's float32, where that is among them.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildUnet } from "../lib/graph/unet.ts";
import { onnxRuntimeCuda, onnxRuntimeWebGpu } from "../lib/model/sessions/onnxruntime.ts";
import type { Session } from "../lib/model/sessions/session.ts";
import type { Tensor } from "../lib/tensor/tensor.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { openSafetensors, readTensor, writeSafetensors } from "../lib/weights/safetensors.ts";
import { sourcesOf, Weights } from "../lib/weights/weights.ts";
import { relativeL2 } from "../tests/assert.ts";
import { SDXL_CONFIGS } from "../tests/synthetic.ts";
import { type Cost, cost, costSpread, report, time } from "./harness.ts";
import { Peer } from "./peer.ts";
import { inputsOf } from "./unet_inputs.ts";

const { values: options, positionals: [python] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    ways: { type: "string", default: "cuda:fp16,cuda:fp32" },
    peers: { type: "string", default: "fp16,fp32" },
    side: { type: "string", default: "128" },
    /** Guidance takes two. */
    batch: { type: "string", default: "2" },
    rounds: { type: "string", default: "10" },
  },
});
if (python === undefined) {
  console.error("Missing the Python to compare with: one that has torch for CUDA, and diffusers.");
  Deno.exit(2);
}

/** What the GPU has in use, all processes together, in bytes. */
async function gpuMemory(): Promise<number> {
  const args = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
  const { success, stdout, stderr } = await new Deno.Command("nvidia-smi", { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot ask for the GPU's memory: ${text.decode(stderr)}`);
  return 2 ** 20 * Number(text.decode(stdout).trim());
}

function runtimeOf(way: string) {
  const [device, precision] = way.split(":");
  const runtime = device === "cuda" ? onnxRuntimeCuda() : device === "webgpu" ? onnxRuntimeWebGpu() : undefined;
  const lowering = precision === "fp16" ? runtime?.reduced?.fp16 : precision === "fp32" ? runtime?.lowering : undefined;
  if (runtime === undefined || lowering === undefined) {
    throw new RangeError(`Cannot run "${way}": wanted is cuda or webgpu, then :fp16 or :fp32.`);
  }
  return { runtime, lowering };
}

const list = (text: string) => text.split(",").filter(Boolean);
const peers = list(options.peers);
const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "fewstep-bench-" }));
try {
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(SDXL_CONFIGS.unet));
  const architecture = await readUnetConfig(join(folder, "config.json"));
  const feeds = inputsOf(architecture, { batch: Number(options.batch), side: Number(options.side) });
  const inputs = join(folder, "inputs.safetensors");
  await writeSafetensors(inputs, new Map(Object.entries(feeds)));
  const unused = await gpuMemory();
  const { peer, versions } = await Peer.start(python, ["bench/peers/unet_gpu.py", folder, inputs, options.peers]);

  const outputs = new Map<string, Tensor>();
  const runs = new Map<string, () => Promise<Cost>>();
  const first: Record<string, number> = {};
  for (const way of peers) { // caches fill, a compiler compiles
    const name = `diffusers ${way}`;
    first[name] = (await peer.cost(way)).wall;
    const saved = join(folder, "output.safetensors");
    await peer.ask(`save ${saved}`);
    outputs.set(name, await readTensor(await openSafetensors(saved), "out_sample"));
    runs.set(name, () => peer.cost(way));
  }
  const memory: Record<string, number> = { "diffusers, all ways": await gpuMemory() - unused };

  const file = await openSafetensors(join(folder, "diffusion_pytorch_model.safetensors"));
  const weights = new Weights("unet", sourcesOf([file]));
  const sessions: Session[] = [];
  for (const way of list(options.ways)) {
    const { runtime, lowering } = runtimeOf(way);
    const before = await gpuMemory();
    const session = await runtime.load(buildUnet(architecture, weights, { lowering }));
    sessions.push(session);
    first[way] = await time(async () => { // sizes are fixed at the first run, which loads
      const output = (await session.run(feeds)).get("out_sample");
      if (output === undefined) throw new Error("Cannot compare: the U-Net gave no out_sample.");
      outputs.set(way, output);
    });
    memory[way] = await gpuMemory() - before;
    runs.set(way, () => cost(() => session.run(feeds)));
  }

  for (const run of runs.values()) await run();
  const costs = new Map([...runs.keys()].map((name): [string, Cost[]] => [name, []]));
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [name, run] of runs) costs.get(name)?.push(await run());
  }
  await peer.end();
  for (const session of sessions) await session.release();

  const reference = outputs.get("diffusers fp32")?.data;
  const name = `unet_gpu_${options.side}_${options.batch}`;
  const command = ["deno run -A bench/unet_gpu.ts PYTHON", ...Deno.args.filter((word) => word !== python)].join(" ");
  await report(name, command, {
    peer: versions,
    firstRunMilliseconds: first,
    milliseconds: Object.fromEntries([...costs].map(([name, list]) => [name, costSpread(list)])),
    gpuBytes: memory,
    relativeL2: reference &&
      Object.fromEntries([...outputs].map(([name, { data }]) => [name, relativeL2(data, reference)])),
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
