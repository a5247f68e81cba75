/**
 * One step of a U-Net of SDXL's shape (391 million parameters, latents 64×64, batch 1, CPU): the kit against diffusers
 * in every way named, in turn, each alone on the machine while it computes. Same weights, same inputs.
 *
 *     deno run -A bench/unet_step.ts PYTHON [--precisions fp32,int8] [--ways eager,compile,bf16] [--rounds 5] [--threads 2]
 *
 * PYTHON has torch and diffusers. The weights (1.6 GB) are made on first use in .scratch/, which git ignores.
 */

import { parseArgs } from "node:util";
import { buildUnet } from "../lib/graph/unet.ts";
import { int8Unet } from "../lib/model/int8.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import type { Session } from "../lib/model/sessions/session.ts";
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

const runtime = onnxRuntimeCpu({ threads });
const loads: Record<string, number> = {};
const sessions = new Map<string, Session>();
for (const precision of options.precisions.split(",")) {
  const lowering = precision === "int8"
    ? await int8Unet(runtime.lowering, { architecture, weights, told: "by config" }, { folder })
    : runtime.lowering;
  const name = `fewstep ${precision}`;
  const load = async () => sessions.set(name, await runtime.load(buildUnet(architecture, weights, { lowering })));
  loads[name] = await time(load);
}
const { peer, versions } = await Peer.start(python, ["bench/peers/unet_step.py", folder, inputs, String(threads)]);

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
const command = `deno run -A bench/unet_step.ts PYTHON --ways ${options.ways} --threads ${threads}`;
await report(`unet_step_${ways.join("-")}_${threads}`, command, {
  runtime: runtime.name,
  peer: versions,
  threads,
  loadMilliseconds: loads,
  firstRunMilliseconds: first,
  milliseconds: spreads,
  ratio: Object.fromEntries([...sessions.keys()].map((name) => [name, ratios(spreads, name)])),
  relativeL2: reference &&
    Object.fromEntries([...outputs].map(([name, { data }]) => [name, relativeL2(data, reference.data)])),
  wanted: "fp32: ratio ≤ 0.75 to eager, ≤ 0.90 to compile; int8: ratio ≤ 0.45 to eager, relative L2 ≤ 0.05",
});

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
