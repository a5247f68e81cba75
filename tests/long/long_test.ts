/**
 * Hours in minutes: `deno task test:long`. Many generations and many openings in one process, and the same run in many
 * processes. Behind a task of its own because it takes minutes; a run that was stopped goes on where it was.
 */

import { open } from "fewstep";
import { readMemory } from "fewstep/measure/memory.ts";
import { equal, ok } from "../assert.ts";
import { goldenPath } from "../goldens/read.ts";
import { LONG, part } from "./parts.ts";

if (LONG === undefined) console.log("skipped: long runs; deno task test:long runs them");

const MODEL = goldenPath("tiny-deep");
const size = { width: 16, height: 16 };
const request = { prompt: "gold fish", steps: 2, guidance: 0, size } as const;
const number = (name: string, fallback: number) => Number(Deno.env.get(name) ?? fallback);
const GENERATIONS = number("FEWSTEP_GENERATIONS", 1000);
const CYCLES = number("FEWSTEP_CYCLES", 200);
const PROCESSES = number("FEWSTEP_PROCESSES", 20);

/** Of the resident size after the 20th: what may be added by all that follow. */
const GROWTH = 0.05;

/** What the runtime and V8 hold varies by this from one look to the next, whatever was done: bytes. */
const NOISE = 4e6;

/** Resident bytes without what the collector would take: by chance that is some tens of megabytes more or less. */
function held(): number {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") {
    throw new Error("Cannot tell what is held: run `deno task test:long`, which lets the test call the collector.");
  }
  collect();
  return readMemory().resident;
}

async function grows(times: number, warm: number, work: (i: number) => Promise<void>): Promise<string> {
  let first = 0;
  for (let i = 1; i <= times; i++) {
    await work(i);
    if (i === warm) first = held();
  }
  const last = held();
  const said = `${(first / 1e6).toFixed(1)} MB after ${warm}, ${(last / 1e6).toFixed(1)} MB after ${times}`;
  ok(last <= first * (1 + GROWTH) + NOISE, said);
  return said;
}

part(`${GENERATIONS} generations in one process hold no more than the 20th did`, async () => {
  await using model = await open(MODEL);
  return await grows(GENERATIONS, 20, async (seed) => void await model.generate({ ...request, seed }));
});

part(`${CYCLES} openings and closings hold no more than the 20th did`, () =>
  grows(CYCLES, 20, async (seed) => {
    await using model = await open(MODEL);
    await model.generate({ ...request, steps: 1, seed });
  }));

async function digest(threads: number): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", new URL("./child.ts", import.meta.url).pathname, MODEL, `${threads}`],
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

for (const threads of [1, 2]) {
  part(`the same bits in ${PROCESSES} processes of ${threads} threads`, async () => {
    const digests = new Set<string>();
    for (let i = 0; i < PROCESSES; i++) digests.add(await digest(threads));
    equal(digests.size, 1, `digests: ${[...digests]}`);
    return `${PROCESSES} times ${[...digests]}`;
  });
}

Deno.test("the same bits in two processes, and with one thread and two", async () => {
  const [one, again, two] = [await digest(1), await digest(1), await digest(2)];
  equal([again, two], [one, one]);
});
