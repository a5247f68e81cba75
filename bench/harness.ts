/** What every benchmark shares: the machine's name, interleaved runs, results as JSON with the command that made them. */

import process from "node:process";
import { type Spread, spread, time } from "../lib/measure/stopwatch.ts";
import { VERSION } from "../lib/version.ts";

export { type Spread, spread, time } from "../lib/measure/stopwatch.ts";

/** Runs two things in turn and keeps the fastest of each: the machine's noise only ever adds. */
export async function paired(
  rounds: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<{ ours: Spread; theirs: Spread; ratio: number }> {
  const [a, b]: [number[], number[]] = [[], []];
  for (let i = 0; i < rounds; i++) {
    a.push(await ours());
    b.push(await theirs());
  }
  const [x, y] = [spread(a), spread(b)];
  return { ours: x, theirs: y, ratio: x.min / y.min };
}

/** What a run takes, in milliseconds. */
export interface Cost {
  /** By the clock. Other work on the machine lengthens it. */
  readonly wall: number;
  /** By the processor, all threads of the process together: what other work changes least. */
  readonly processor: number;
}

export async function cost(run: () => unknown): Promise<Cost> {
  const used = process.cpuUsage();
  const wall = await time(run);
  const { user, system } = process.cpuUsage(used);
  return { wall, processor: (user + system) / 1000 };
}

export interface CostSpread {
  readonly wall: Spread;
  readonly processor: Spread;
}

export function costSpread(costs: readonly Cost[]): CostSpread {
  return {
    wall: spread(costs.map(({ wall }) => wall)),
    processor: spread(costs.map(({ processor }) => processor)),
  };
}

function processor(): string {
  if (Deno.build.os !== "linux") return `${Deno.build.os} ${Deno.build.arch}`;
  const text = Deno.readTextFileSync("/proc/cpuinfo");
  const name = text.match(/model name\s*: (.*)/)?.[1] ?? Deno.build.arch;
  const features = ["amx_bf16", "avx512_bf16", "avx512_vnni", "avx2"].filter((flag) => text.includes(` ${flag} `));
  return `${name.trim()} (${features.join(", ")})`;
}

/** Writes `bench/results/NAME.json` and prints it. */
export async function report(name: string, command: string, results: Readonly<Record<string, unknown>>): Promise<void> {
  const text = JSON.stringify(
    {
      command,
      machine: { processor: processor(), cores: navigator.hardwareConcurrency, os: Deno.build.os },
      load: Deno.loadavg()[0],
      versions: { fewstep: VERSION, deno: Deno.version.deno },
      results,
    },
    null,
    2,
  );
  console.log(text);
  await Deno.writeTextFile(new URL(`results/${name}.json`, import.meta.url), `${text}\n`);
}
