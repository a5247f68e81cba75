/**
 * One step of a U-Net of SDXL's shape (391 million parameters, latents 64×64, batch 1, CPU): the kit against diffusers
 * in every way named, in turn, each alone on the machine while it computes. Same weights, same inputs.
 *
 *     deno run -A bench/unet_step.ts PYTHON [--precisions fp32,int8] [--ways eager,compile,bf16] [--rounds 5] [--threads 2]
 *
 * A precision such as `openvino:bf16` is the kit on OpenVINO, and so is a way, which is then OpenVINO's own Python on
 * the kit's graph. PYTHON has torch and diffusers, and `openvino` where a way names it. The weights (1.6 GB) are made on
 * first use in .scratch/, which git ignores.
 */

import { parseArgs } from "node:util";
import type { Lowering } from "../lib/graph/builder.ts";
import { buildUnet } from "../lib/graph/unet.ts";
import { int8Unet } from "../lib/model/int8.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { openVino } from "../lib/model/sessions/openvino.ts";
import type { Runtime, Session } from "../lib/model/sessions/session.ts";
import type { Tensor } from "../lib/tensor/tensor.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { openSafetensors, readTensor, writeSafetensors } from "../lib/weights/safetensors.ts";
import { sourcesOf, Weights } from "../lib/weights/weights.ts";
import { type Cost, cost, type CostSpread, costSpread, report, time } from "./harness.ts";
import { relativeL2 } from "../tests/assert.ts";
import { Peer } from "./peer.ts";
import { inputsOf } from "./unet_inputs.ts";

const { values: options, positionals: [python] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    precisions: { type: "string", default: "fp32,int8" },
    ways: { type: "string", default: "eager,compile,bf16" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: String(navigator.hardwareConcurrency) },
  },
});
if (python === undefined) {
  console.error("Missing the Python to compare with: one that has diffusers, as in bench/unet_step.ts python3.");
  Deno.exit(2);
}
const ways = options.ways.split(",");
const threads = Number(options.threads);
const folder = await Deno.realPath(await madeWeights(python, ".scratch/unet"));
const inputs = `${folder}/inputs.safetensors`;
const saved = `${folder}/output.safetensors`;

const architecture = await readUnetConfig(`${folder}/config.json`);
const weights = new Weights(
  "unet",
  sourcesOf([await openSafetensors(`${folder}/diffusion_pytorch_model.safetensors`)]),
);
const feeds = inputsOf(architecture);
await writeSafetensors(inputs, new Map(Object.entries(feeds)));

const precisions = options.precisions.split(",");
const named = [...precisions, ...ways];
const runtime = onnxRuntimeCpu({ threads });
const openvino = named.some((name) => name.startsWith("openvino:")) ? openVino({ threads }) : undefined;
const loads: Record<string, number> = {};
const sessions = new Map<string, Session>();
for (const precision of precisions) {
  const { load, lowering } = await wayOf(precision);
  const name = `fewstep ${precision}`;
  loads[name] = await time(async () => sessions.set(name, await load(buildUnet(architecture, weights, { lowering }))));
}
const theirGraphs: string[] = [];
for (const way of ways.filter((name) => name.startsWith("openvino:"))) {
  const { bytes, root } = buildUnet(architecture, weights, { lowering: (await wayOf(way)).lowering });
  const path = `${folder}/${way.replace(":", "_")}.onnx`;
  await Deno.writeFile(path, Uint8Array.from(bytes));
  theirGraphs.push(way, path, root);
}
const peerArgs = ["bench/peers/unet_step.py", folder, inputs, String(threads), ...theirGraphs];
const { peer, versions } = await Peer.start(python, peerArgs);

const outputs = new Map<string, Tensor>();
const first: Record<string, number> = {};
for (const way of ways) { // a compiler compiles, caches fill
  first[way] = (await peer.cost(way)).wall;
  await peer.ask(`save ${saved}`);
  outputs.set(way, await readTensor(await openSafetensors(saved), "out_sample"));
}
const runs = new Map<string, () => Promise<Cost>>();
for (const [name, session] of sessions) {
  const output = (await session.run(feeds)).get("out_sample");
  if (output === undefined) throw new Error("Cannot compare: the U-Net gave no out_sample.");
  outputs.set(name, output);
  runs.set(name, () => cost(() => session.run(feeds)));
}
for (const way of ways) runs.set(way, () => peer.cost(way));
const costs = new Map([...runs.keys()].map((name): [string, Cost[]] => [name, []]));
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [name, run] of runs) costs.get(name)?.push(await run());
}
await peer.end();
for (const session of sessions.values()) await session.release();

const spreads = Object.fromEntries([...costs].map(([name, list]) => [name, costSpread(list)]));
const reference = outputs.get("eager");
const command =
  `deno run -A bench/unet_step.ts PYTHON --precisions ${options.precisions} --ways ${options.ways} --threads ${threads}`;
await report(`unet_step_${ways.join("-").replaceAll(":", "_")}_${threads}`, command, {
  runtimes: [runtime, ...(openvino ? [openvino] : [])].map(({ name }) => name),
  peer: versions,
  threads,
  loadMilliseconds: loads,
  firstRunMilliseconds: first,
  milliseconds: spreads,
  ratio: Object.fromEntries([...sessions.keys()].map((name) => [name, ratios(spreads, name)])),
  relativeL2: reference &&
    Object.fromEntries([...outputs].map(([name, { data }]) => [name, relativeL2(data, reference.data)])),
  wanted: "fp32: ratio ≤ 0.75 to eager, ≤ 0.90 to compile; int8: ratio ≤ 0.45 to eager, relative L2 ≤ 0.05; " +
    "openvino:bf16: ratio ≤ 0.24 to eager, ≤ 1.03 to openvino:bf16 of its own Python",
});

/** What loads the U-Net in one of the precisions, and how it is written there. */
async function wayOf(precision: string): Promise<{ load: Runtime["load"]; lowering: Lowering }> {
  if (precision === "int8") {
    const lowering = await int8Unet(runtime.lowering, { architecture, weights, told: "by config" }, { folder });
    return { load: (network) => runtime.load(network), lowering };
  }
  if (openvino === undefined || !precision.startsWith("openvino:")) {
    return { load: (network) => runtime.load(network), lowering: runtime.lowering };
  }
  const lowering = precision === "openvino:bf16" ? openvino.reduced?.bf16 : openvino.lowering;
  if (lowering === undefined || "bf16" in openvino.refused && precision === "openvino:bf16") {
    throw new RangeError(`Cannot run ${precision}: ${openvino.refused.bf16}.`);
  }
  return { load: (network) => openvino.load(network), lowering };
}

/** One of ours to each of theirs. */
function ratios(spreads: Readonly<Record<string, CostSpread>>, name: string) {
  const { [name]: ours } = spreads;
  return Object.fromEntries(ways.map((way) => {
    const { [way]: theirs } = spreads;
    const minima = ours.wall.min / theirs.wall.min;
    const medians = ours.wall.median / theirs.wall.median;
    return [way, { minima, medians, processorMinima: ours.processor.min / theirs.processor.min }];
  }));
}

async function madeWeights(python: string, folder: string): Promise<string> {
  try {
    await Deno.stat(`${folder}/config.json`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const { success } = await new Deno.Command(python, { args: ["bench/peers/unet_weights.py", folder] }).spawn()
      .status;
    if (!success) throw new Error(`Cannot make the weights in ${folder}: see the lines above.`);
  }
  return folder;
}
