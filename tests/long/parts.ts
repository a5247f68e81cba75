/**
 * Long tests part by part: what was done stands in a file, so that a run that was stopped goes on with the part that it
 * was in. `FEWSTEP_LONG=again` begins anew.
 */

import { dirname } from "node:path";

const STATE = new URL("../../.scratch/long.json", import.meta.url).pathname;

/** Whether long tests are wanted: `deno task test:long`. */
export const LONG = Deno.env.get("FEWSTEP_LONG");

interface Done {
  /** What came out, in words. */
  readonly result: string;
  readonly seconds: number;
  /** Day and time. */
  readonly at: string;
}

async function known(): Promise<Record<string, Done>> {
  try {
    return JSON.parse(await Deno.readTextFile(STATE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** A long test, which says in words what it found. */
export function part(name: string, body: () => Promise<string>): void {
  Deno.test({
    name,
    ignore: LONG === undefined,
    async fn() {
      const { [name]: before } = await known();
      if (before !== undefined && LONG !== "again") {
        return console.log(`done before, ${before.at}, in ${before.seconds} s: ${before.result}`);
      }
      const began = performance.now();
      const result = await body();
      const seconds = Math.round((performance.now() - began) / 1000);
      console.log(`${result}; ${seconds} s`);
      await Deno.mkdir(dirname(STATE), { recursive: true });
      const done: Record<string, Done> = {
        ...await known(),
        [name]: { result, seconds, at: new Date().toISOString() },
      };
      await Deno.writeTextFile(STATE, `${JSON.stringify(done, null, 1)}\n`);
    },
  });
}
