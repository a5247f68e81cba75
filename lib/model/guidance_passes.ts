/**
 * Guidance runs the network on a negative and a prompt's half: as one batch, or one after the other. Which is faster is
 * the device's and the size's; one after the other takes about half the memory of activations.
 */

import { Tensor } from "../tensor/tensor.ts";
import type { Feeds, Outputs, Session, SessionRunOptions } from "./sessions/session.ts";

/**
 * "batch" (default): one run of both, as diffusers does. "two": two runs. "measured": a size's first guided step tries
 * both, which costs it four more runs; from then on the faster is taken. Both give the same but for the last bits, so
 * with "measured" a run's last bits are the clock's.
 */
export type GuidancePasses = "batch" | "two" | "measured";

export const GUIDANCE_PASSES = ["batch", "two", "measured"] as const satisfies readonly GuidancePasses[];

/** Tries of each, after the first run has warmed it up. */
const TRIES = 2;

export class GuidedRuns {
  readonly #passes: GuidancePasses;
  /** By the shape of the latent. */
  readonly #chosen = new Map<string, "batch" | "two">();

  constructor(passes: GuidancePasses) {
    this.#passes = passes;
  }

  /** What was measured to be faster, by the shape of the latents: `[2·batch, 4, height/8, width/8]`. */
  get chosen(): ReadonlyMap<string, "batch" | "two"> {
    return this.#chosen;
  }

  /** Runs a guided step's network. @param feeds the unconditional half before the prompt's, in every input with rows */
  async run(session: Session, feeds: Feeds, rows: number, options: SessionRunOptions): Promise<Outputs> {
    if (this.#passes === "batch") return await session.run(feeds, options);
    if (this.#passes === "two") return await inTwo(session, feeds, rows, options);
    const size = String(feeds.sample?.shape);
    const known = this.#chosen.get(size);
    if (known === "two") return await inTwo(session, feeds, rows, options);
    const outputs = await session.run(feeds, options);
    if (known === undefined) {
      const ways = { batch: () => session.run(feeds, options), two: () => inTwo(session, feeds, rows, options) };
      this.#chosen.set(size, await faster(ways));
    }
    return outputs;
  }
}

/** Which of two ways takes less time, by the least of each, taken in turn. */
async function faster(ways: Readonly<Record<"batch" | "two", () => Promise<unknown>>>): Promise<"batch" | "two"> {
  const least = { batch: Infinity, two: Infinity };
  for (let i = 0; i < TRIES; i++) {
    for (const way of ["batch", "two"] as const) {
      const started = performance.now();
      await ways[way]();
      least[way] = Math.min(least[way], performance.now() - started);
    }
  }
  return least.two < least.batch ? "two" : "batch";
}

async function inTwo(session: Session, feeds: Feeds, rows: number, options: SessionRunOptions): Promise<Outputs> {
  const halves: Outputs[] = [];
  for (const [start, end] of [[0, rows / 2], [rows / 2, rows]]) {
    const half = Object.entries(feeds).map(([name, value]) =>
      // A LoRA's strength has no rows.
      [name, value instanceof Tensor && value.shape[0] === rows ? value.slice(start, end) : value] as const
    );
    halves.push(await session.run(Object.fromEntries(half), options));
  }
  const [first, second] = halves;
  return new Map([...first].map(([name, value]) => {
    const other = second.get(name);
    if (other === undefined) throw new Error(`Cannot join both halves of the guidance: one has no ${name}.`);
    return [name, Tensor.concat([value, other])];
  }));
}
