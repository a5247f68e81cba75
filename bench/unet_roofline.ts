/**
 * Where a U-Net's step goes, and how near each kind of work is to what the machine can do: the runtime's own times,
 * layer by layer, beside each layer's floating-point operations, counted from its weights and its output. The roof is the
 * best rate of a product of two square matrices of several sizes, by the same runtime with as many threads.
 *
 *     deno run -A bench/unet_roofline.ts [PYTHON] [--rounds 7] [--threads 2]
 *
 * It wants the weights that `unet_step.ts` makes. With a PYTHON that has torch, torch's rate for the same product too.
 */

import { parseArgs } from "node:util";
import { buildUnet } from "../lib/graph/unet.ts";
import { kindOf, type NetworkProfile, type OperatorProfile } from "../lib/measure/profile.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { sizeOf, Tensor } from "../lib/tensor/tensor.ts";
import { readUnetConfig } from "../lib/weights/config.ts";
import { openSafetensors } from "../lib/weights/safetensors.ts";
import { shapeOf, sourcesOf, Weights } from "../lib/weights/weights.ts";
import { chain } from "../tests/model/sessions/chain.ts";
import { report, time } from "./harness.ts";
import { peerEnvironment } from "./peer.ts";
import { inputsOf } from "./unet_inputs.ts";

const { values: options, positionals: [python] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "7" },
    threads: { type: "string", default: String(navigator.hardwareConcurrency) },
  },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);

/** Sides of the roof's matrices, and products in one run of it. */
const SIDES = [512, 1024, 2048];
const PRODUCTS = 16;

const folder = await Deno.realPath(".scratch/unet");
const architecture = await readUnetConfig(`${folder}/config.json`);
const file = await openSafetensors(`${folder}/diffusion_pytorch_model.safetensors`);
const weights = new Weights("unet", sourcesOf([file]));
const feeds = inputsOf(architecture);

const profiles: NetworkProfile[] = [];
const runtime = onnxRuntimeCpu({ threads });
const profiled = runtime.profiled?.(rounds, (profile) => profiles.push(profile));
if (profiled === undefined) throw new Error("ONNX Runtime's CPU provider has a clock for single operators.");
const session = await profiled.load(buildUnet(architecture, weights, { lowering: runtime.lowering }));
await session.run(feeds);
await session.release();
const [{ operators, milliseconds }] = profiles;

const roofs: Record<string, { readonly fewstep: number; readonly torch: number | undefined }> = {};
for (const side of SIDES) {
  roofs[side] = {
    fewstep: await ourRate(side),
    torch: python === undefined ? undefined : await torchRate(python, side),
  };
}
const roof = Math.max(...Object.values(roofs).map(({ fewstep }) => fewstep));
const groups = Map.groupBy(operators, kindOfWork);
const rows = [...groups].map(([kind, group]) => {
  const spent = group.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const gigaflop = group.reduce((sum, one) => sum + operations(one), 0) / 1e9;
  const rate = gigaflop / spent * 1000;
  return {
    kind,
    operators: group.length,
    milliseconds: spent,
    share: spent / milliseconds,
    gigaflop,
    rate,
    ofRoof: rate / roof,
  };
}).sort((a, b) => b.milliseconds - a.milliseconds);
const total = rows.reduce((sum, { gigaflop }) => sum + gigaflop, 0);
await report("unet_roofline", `deno run -A bench/unet_roofline.ts PYTHON --rounds ${rounds} --threads ${threads}`, {
  runtime: runtime.name,
  threads,
  gigaflopPerSecondOfSquareProducts: roofs,
  milliseconds,
  gigaflop: total,
  millisecondsAtTheRoof: total / roof * 1000,
  rows,
});

/** The best rate of a product over some runs, in GFLOP/s. */
async function ourRate(side: number): Promise<number> {
  const temporary = await Deno.makeTempDir();
  try {
    const session = await runtime.load(await chain(temporary, side, PRODUCTS));
    const x = Tensor.zeros([side, side]);
    const times: number[] = [];
    for (let round = 0; round <= rounds; round++) times.push(await time(() => session.run({ x })));
    await session.release();
    return PRODUCTS * 2 * side ** 3 / 1e6 / Math.min(...times);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** torch's for the same product. */
async function torchRate(python: string, side: number): Promise<number> {
  const code = `import time, torch
torch.set_num_threads(${threads})
x, w = torch.zeros(${side}, ${side}), torch.zeros(${side}, ${side})
least = 1e9
for _ in range(${rounds + 1}):
    started = time.perf_counter()
    for _ in range(${PRODUCTS}): torch.nn.functional.linear(x, w)
    least = min(least, time.perf_counter() - started)
print(${PRODUCTS * 2 * side ** 3} / least / 1e9)`;
  const { stdout } = await new Deno.Command(python, { args: ["-c", code], ...peerEnvironment() }).output();
  return Number(new TextDecoder().decode(stdout));
}

function kindOfWork({ layer, operator }: OperatorProfile): string {
  switch (operator) {
    case "FusedMatMul":
    case "MatMul":
      return `linear layers, ${kindOf(layer)}`;
    case "Conv":
      return "convolutions";
    case "MultiHeadAttention":
      return /\.attn1$/.test(layer) ? "attention to itself" : "attention to the text";
    default:
      return "all else";
  }
}

/** Multiplications and additions of an operator, by its layer's weight and the bytes that it writes. */
function operations({ layer, operator, output }: OperatorProfile): number {
  const values = output / 4;
  if (operator === "MultiHeadAttention") {
    const ref = weights.ref(`${layer}.to_q.weight`);
    if (ref === undefined) throw new Error(`Cannot count ${layer}: it has no to_q.`);
    const queries = values / ref.shape[0];
    const keys = /\.attn1$/.test(layer) ? queries : feeds.encoder_hidden_states.shape[1];
    return 4 * values * keys;
  }
  if (!["FusedMatMul", "MatMul", "Conv"].includes(operator)) return 0;
  // Both halves of a gated layer are products of their own.
  const ref = weights.ref(`${layer.replace(/\.(value|gate)$/, "")}.weight`);
  if (ref === undefined) throw new Error(`Cannot count ${layer}: it has no weight.`);
  const [, ...rest] = shapeOf(ref);
  return 2 * values * sizeOf(rest);
}
