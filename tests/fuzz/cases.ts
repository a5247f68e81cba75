/**
 * The process that gives wrong files to the kit: `cases.ts FROM TO`. It says which case it begins before it begins it,
 * a line each, so that the process that watches it knows on which one it died or hung.
 */

import { Random } from "./random.ts";
import { targets } from "./targets.ts";

/** What a line says. */
export type Line =
  | { readonly begin: number; readonly target: string }
  | { readonly bad: number; readonly target: string; readonly why: string }
  | { readonly took: number; readonly refused: number };

/** Refusals are for readers on a terminal: a few lines there. */
const LONGEST = 1500;

/** Why an error is no sentence; undefined where it is one. */
export function unsaid(error: unknown): string | undefined {
  if (!(error instanceof Error)) return `threw ${typeof error}`;
  const { name, message } = error;
  const say = (what: string) => `${what}: ${name}: ${message.slice(0, 400)}`;
  if (["TypeError", "ReferenceError", "AggregateError"].includes(name)) return say("a mistake of the program");
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(message)) return say("more than a line");
  if (!/^(Cannot|Missing|Unknown|Unexpected|Stopped) ?/.test(message)) return say("does not begin as a refusal");
  if (!/[.?)]$/.test(message)) return say("does not end as a sentence");
  if (message.length > LONGEST) return say(`${message.length} letters`);
  if (/\[object |\bundefined\b|call stack/.test(message)) return say("shows the program's insides");
}

async function runCase(number: number, say: (line: Line) => void): Promise<"took" | "refused"> {
  const target = targets[number % targets.length];
  const random = new Random(number);
  say({ begin: number, target: target.name });
  const folder = await Deno.makeTempDir({ prefix: "fewstep-fuzz-" });
  try {
    await target.make(random, folder);
    await target.run(folder, random);
    return "took";
  } catch (error) {
    if (Deno.env.has("FUZZ_SHOW")) console.error(error);
    const why = unsaid(error);
    if (why !== undefined) say({ bad: number, target: target.name, why });
    return "refused";
  } finally {
    if (!Deno.env.has("FUZZ_KEEP")) await Deno.remove(folder, { recursive: true });
    else console.error(folder);
  }
}

if (import.meta.main) {
  const [from, to] = Deno.args.map(Number);
  const counts = { took: 0, refused: 0 };
  const say = (line: Line) => console.log(JSON.stringify(line));
  let last = "";
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    say({ bad: Number(last), target: "unhandled", why: `nobody caught ${event.reason}` });
  });
  for (let number = from; number < to; number++) {
    last = String(number);
    counts[await runCase(number, say)]++;
  }
  say(counts);
  Deno.exit(0);
}
