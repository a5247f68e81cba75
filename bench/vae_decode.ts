/**
 * A picture of 512×512 decoded by SDXL's VAE (83 million parameters, random) in float32 on the CPU: the kit against
 * diffusers, in turn, each alone while it computes. Goal: ≤ 0.80 of diffusers.
 *
 *     deno run -A bench/vae_decode.ts PYTHON [--rounds 3] [--threads 2] [--size 512]
 */

import { parseArgs } from "node:util";
import { buildVaeDecoder } from "../lib/graph/vae.ts";
import { readMemory } from "../lib/measure/memory.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { readVaeConfig } from "../lib/weights/config.ts";
import { openSafetensors, readTensor } from "../lib/weights/safetensors.ts";
import { sourcesOf, Weights } from "../lib/weights/weights.ts";
import { relativeL2 } from "../tests/assert.ts";
import { type Cost, cost, costSpread, report } from "./harness.ts";
import { Peer } from "./peer.ts";

const { values: options, positionals: [python] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: String(navigator.hardwareConcurrency) },
    size: { type: "string", default: "512" },
  },
});
if (python === undefined) {
  console.error("Missing the Python to compare with: one that has diffusers, as in bench/vae_decode.ts python3.");
  Deno.exit(2);
}
const side = String(Number(options.size) / 8);
const threads = Number(options.threads);
await Deno.mkdir(".scratch/vae", { recursive: true });
const folder = await Deno.realPath(".scratch/vae");
const saved = `${folder}/output.safetensors`;
const { peer, versions } = await Peer.start(python, ["bench/peers/vae_decode.py", folder, String(threads)]);
await peer.cost(side);
await peer.ask(`save ${saved}`);
const output = await openSafetensors(saved);
const [latent, wanted] = [await readTensor(output, "latent"), await readTensor(output, "sample")];

const file = await openSafetensors(`${folder}/diffusion_pytorch_model.safetensors`);
const runtime = onnxRuntimeCpu({ threads });
const { lowering } = runtime;
const vae = buildVaeDecoder(await readVaeConfig(`${folder}/config.json`), new Weights("vae", sourcesOf([file])), {
  lowering,
});
const session = await runtime.load(vae);
const decode = () => session.run({ latent_sample: latent });
const sample = (await decode()).get("sample");
if (sample === undefined) throw new Error("Cannot compare: the VAE gave no sample.");

const [ours, theirs]: [Cost[], Cost[]] = [[], []];
for (let round = 0; round < Number(options.rounds); round++) {
  ours.push(await cost(decode));
  theirs.push(await peer.cost(side));
}
await peer.end();
await session.release();
const [a, b] = [costSpread(ours), costSpread(theirs)];
await report(`vae_decode_${threads}_threads`, `deno run -A bench/vae_decode.ts PYTHON --threads ${threads}`, {
  runtime: runtime.name,
  peer: versions,
  size: options.size,
  threads,
  milliseconds: { fewstep: a, diffusers: b },
  ratio: {
    minima: a.wall.min / b.wall.min,
    medians: a.wall.median / b.wall.median,
    processorMinima: a.processor.min / b.processor.min,
  },
  relativeL2: relativeL2(sample.data, wanted.data),
  peakBytes: readMemory().peak,
  wanted: "ratio ≤ 0.80",
});
