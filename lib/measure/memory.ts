/** Memory of this process, as the system counts it. */

import { totalmem } from "node:os";

/** Bytes. */
export interface Memory {
  readonly resident: number;
  /** The highest resident size since the process began or `resetPeak` was called; where the system does not tell (not Linux), the highest seen. */
  readonly peak: number;
}

/** Bytes that this process could have: the machine's memory, or its container's where that is less. */
export function totalMemory(): number {
  const machine = totalmem();
  if (Deno.build.os !== "linux") return machine;
  try {
    const limit = Number(Deno.readTextFileSync("/sys/fs/cgroup/memory.max")); // NaN where it says "max"
    return limit > 0 ? Math.min(machine, limit) : machine;
  } catch {
    return machine; // no such limit here, or none that may be looked at
  }
}

let highest = 0;
let status: Deno.FsFile | undefined | null;
const buffer = new Uint8Array(4096);

/** Reads resident and peak size: about 20 µs on Linux. */
export function readMemory(): Memory {
  const text = readStatus();
  if (text === "") return withoutStatus();
  const field = (name: string): number | undefined => {
    const line = text.match(new RegExp(`^${name}:\\s*(\\d+) kB`, "m"));
    return line ? Number(line[1]) * 1024 : undefined;
  };
  const resident = field("VmRSS") ?? Deno.memoryUsage().rss;
  highest = Math.max(highest, resident);
  return { resident, peak: field("VmHWM") ?? highest };
}

/**
 * Lets `peak` begin anew at the present size: Linux's /proc/self/clear_refs takes a 5 for that. Elsewhere the highest
 * size seen begins anew.
 */
export function resetPeak(): void {
  highest = 0;
  if (Deno.build.os !== "linux") return;
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch (error) {
    // Sandboxes forbid it; the peak then stays the process's own, which is an upper bound.
    const { PermissionDenied, NotFound, NotCapable } = Deno.errors;
    if (!(error instanceof PermissionDenied || error instanceof NotFound || error instanceof NotCapable)) throw error;
  }
}

/** /proc/self/status, or nothing where there is none. The file stays open: opening it costs more than reading. */
function readStatus(): string {
  if (status === undefined) status = openStatus();
  if (status === null) return "";
  status.seekSync(0, Deno.SeekMode.Start);
  const length = status.readSync(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** Deno lets a process read about itself in /proc only with all permissions. */
function openStatus(): Deno.FsFile | null {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "read" }).state !== "granted") return null;
  try {
    return Deno.openSync("/proc/self/status");
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return null;
    throw error;
  }
}

function withoutStatus(): Memory {
  const resident = Deno.memoryUsage().rss;
  highest = Math.max(highest, resident, peakByUsage());
  return { resident, peak: highest };
}

let usage: (() => number) | undefined;

/** The process's highest resident size by getrusage(2), where the system's own functions may be called; else 0. */
function peakByUsage(): number {
  usage ??= openUsage() ?? (() => 0);
  return usage();
}

function openUsage(): (() => number) | undefined {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  const { symbols } = Deno.dlopen("libc.so.6", { getrusage: { parameters: ["i32", "buffer"], result: "i32" } });
  const rusage = new BigInt64Array(18); // two struct timeval, then ru_maxrss in kilobytes, on all 64-bit Linux
  return () => symbols.getrusage(0, rusage) === 0 ? Number(rusage[4]) * 1024 : 0;
}
