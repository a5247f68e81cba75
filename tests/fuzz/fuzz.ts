/**
 * `deno task test:fuzz [--cases N] [--from N] [--state FILE]`: wrong files by the ten thousand, in a process that is
 * watched. With a state file a run that was stopped goes on where it was.
 */

import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { Line } from "./cases.ts";

export interface Finding {
  readonly number: number;
  readonly target: string;
  readonly why: string;
}

export interface Outcome {
  readonly cases: number;
  readonly took: number;
  readonly refused: number;
  readonly findings: readonly Finding[];
}

/** Of a processor's time. No case of these sizes has a reason to take longer. */
export const HANG_MS = 10_000;

/** A busy machine may leave a case waiting for this many times as long before it counts as hung all the same. */
const WAIT = 30;

/** Cases of one child process: what it leaks is gone with it. */
const CHUNK = 500;

export interface FuzzOptions {
  readonly from: number;
  readonly to: number;
  readonly hangMs?: number;
  /** Told after each child process. */
  readonly onChunk?: (done: number, outcome: Outcome) => void | Promise<void>;
}

export async function fuzz({ from, to, hangMs = HANG_MS, onChunk }: FuzzOptions): Promise<Outcome> {
  let [took, refused] = [0, 0];
  const findings: Finding[] = [];
  for (let next = from; next < to;) {
    const until = Math.min(to, next + CHUNK);
    const chunk = await runChild(next, until, hangMs);
    findings.push(...chunk.findings);
    took += chunk.took;
    refused += chunk.refused;
    next = chunk.next;
    await onChunk?.(next, { cases: next - from, took, refused, findings });
  }
  return { cases: to - from, took, refused, findings };
}

/** Milliseconds of a processor that a process has had; on systems that do not tell, those of the clock. */
function cpuMs(pid: number): number {
  if (Deno.build.os !== "linux") return performance.now();
  try {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
    return 10 * (Number(fields[11]) + Number(fields[12])); // utime and stime, in hundredths of a second
  } catch {
    return 0; // it has ended
  }
}

async function runChild(from: number, to: number, hangMs: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", new URL("./cases.ts", import.meta.url).pathname, `${from}`, `${to}`],
    env: { MALLOC_MMAP_THRESHOLD_: "65536" },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const findings: Finding[] = [];
  let [took, refused, begun, target, ended] = [0, 0, from, "the start", false];
  let hung = false;
  let watch: ReturnType<typeof setTimeout> | undefined;
  const reset = () => {
    clearTimeout(watch);
    const [began, worked] = [performance.now(), cpuMs(child.pid)];
    const look = () => {
      const idle = performance.now() - began < WAIT * hangMs;
      if (cpuMs(child.pid) - worked < hangMs && idle) return void (watch = setTimeout(look, hangMs / 4));
      hung = true;
      child.kill("SIGKILL");
    };
    watch = setTimeout(look, hangMs);
  };
  reset();
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  let rest = "";
  for await (const piece of lines) {
    reset();
    const parts = (rest + piece).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const line: Line = JSON.parse(part);
      if ("begin" in line) [begun, target] = [line.begin, line.target];
      else if ("bad" in line) findings.push({ number: line.bad, target: line.target, why: line.why });
      else [took, refused, ended] = [line.took, line.refused, true];
    }
  }
  clearTimeout(watch);
  const { code, signal } = await child.status;
  if (ended) return { took, refused, findings, next: to };
  const why = hung ? `hung for ${hangMs} ms` : `the process died (${signal ?? `exit code ${code}`})`;
  return { took, refused, findings: [...findings, { number: begun, target, why }], next: begun + 1 };
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      cases: { type: "string", default: "100000" },
      from: { type: "string", default: "0" },
      state: { type: "string" },
    },
  });
  const { state } = values;
  const before: (Outcome & { readonly next: number }) | undefined = state === undefined
    ? undefined
    : await Deno.readTextFile(state).then(JSON.parse, () => undefined);
  const start = Number(values.from);
  const to = start + Number(values.cases);
  if (before) console.log(`Goes on after ${before.cases} of ${values.cases} cases, ${before.findings.length} bad.`);
  const began = performance.now();
  const outcome = await fuzz({
    from: before?.next ?? start,
    to,
    async onChunk(next, { took, refused, findings }) {
      const all = {
        next,
        cases: next - start,
        took: took + (before?.took ?? 0),
        refused: refused + (before?.refused ?? 0),
        findings: [...before?.findings ?? [], ...findings],
      };
      if (state !== undefined) await Deno.mkdir(dirname(state), { recursive: true });
      if (state !== undefined) await Deno.writeTextFile(state, JSON.stringify(all, null, 1));
      console.log(
        `${all.cases} of ${values.cases} cases, ${all.findings.length} bad, ${
          Math.round((performance.now() - began) / 1000)
        } s`,
      );
    },
  });
  const findings = [...before?.findings ?? [], ...outcome.findings];
  for (const { number, target, why } of findings) console.log(`${number} ${target}: ${why}`);
  Deno.exit(findings.length === 0 ? 0 : 1);
}
