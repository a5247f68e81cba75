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
    if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** /proc/self/status, or nothing where there is none. The file stays open: opening it costs more than reading. */
function readStatus(): string {
  if (status === undefined) status = Deno.build.os === "linux" ? Deno.openSync("/proc/self/status") : null;
  if (status === null) return "";
  status.seekSync(0, Deno.SeekMode.Start);
  const length = status.readSync(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, length));
}
