/**
 * How fast unit normals are drawn, of both of torch's streams; beside torch itself where a Python with torch is named.
 * Goal: ≥ 50 M values/s. A latent of 1024×1024 pixels has 65,536 values.
 *
 * Command: deno run -A bench/randn.ts [python with torch]
 */

import { torchGenerator } from "../lib/tensor/random/mod.ts";
import { report, spread, time } from "./harness.ts";

const COUNT = 4 * 128 * 128;
const ROUNDS = 300;

const TORCH = `
import time, torch
torch.set_num_threads(1)
g = torch.Generator().manual_seed(1)
def once():
    start = time.perf_counter(); torch.randn(${COUNT}, generator=g); return time.perf_counter() - start
print(min(once() for _ in range(${ROUNDS})) * 1000)
`;

const results: Record<string, unknown> = { values: COUNT, rounds: ROUNDS };
const millions = (milliseconds: number) => COUNT / milliseconds / 1000;
for (const device of ["cpu", "cuda"] as const) {
  const generator = torchGenerator(1, { device });
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) times.push(await time(() => generator.randn(COUNT)));
  const { min, median } = spread(times);
  results[device] = { best: millions(min), median: millions(median), unit: "M values/s" };
}
const [python] = Deno.args;
if (python !== undefined) {
  const { stdout } = await new Deno.Command(python, { args: ["-c", TORCH] }).output();
  results.torchCpuOneThread = { best: millions(Number(new TextDecoder().decode(stdout))), unit: "M values/s" };
}
await report("randn", "deno run -A bench/randn.ts [python with torch]", results);
