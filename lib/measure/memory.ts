/** Memory of this process, as the system counts it. */

import { totalmem } from "node:os";
import { readProc, writeProc } from "./proc.ts";
/** The parts of a run that hold memory of their own: text encoders, U-Net, VAE. */
export type Stage = "text" | "unet" | "vae";

/** Bytes. */
export interface Memory {
  /** What of the process is in memory now, weights mapped from files included. */
  readonly resident: number;
  /** The highest resident size since the process began or `resetPeak` was called; where the system does not tell (not Linux), the highest seen. */
  readonly peak: number;
  /** Each stage's last run: resident after it, and the peak within it. Missing for what has not run. */
  readonly stages?: Readonly<Partial<Record<Stage, Memory>>>;
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

/** The highest size of times whose own count was begun anew. */
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
  highest = Math.max(highest, resident, field("VmHWM") ?? 0);
  return { resident, peak: highest };
}

/** What something holds while it runs: the process's highest size within it, and its size afterwards. */
export async function memoryOf<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly memory: Memory }> {
  const before = readMemory().peak; // which lets nothing of the time before be lost
  resetPeak();
  try {
    const value = await run();
    return { value, memory: readMemory() };
  } finally {
    highest = Math.max(readMemory().peak, before);
  }
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
    // Containers forbid it; the peak then stays the process's own, which is an upper bound.
    const { NotCapable, NotFound, PermissionDenied } = Deno.errors;
    if (error instanceof NotCapable) writeProc("/proc/self/clear_refs", "5");
    else if (![NotFound, PermissionDenied].some((kind) => error instanceof kind)) throw error;
  }
}

/** /proc/self/status, or nothing where there is none. The file stays open: opening it costs more than reading. */
function readStatus(): string {
  if (status === undefined) status = openStatus();
  if (status === null) return Deno.build.os === "linux" ? readProc("/proc/self/status") ?? "" : "";
  status.seekSync(0, Deno.SeekMode.Start);
  const length = status.readSync(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** Deno lets a process read about itself in /proc only with all permissions. */
function openStatus(): Deno.FsFile | null {
  if (Deno.build.os !== "linux") return null;
  try {
    return Deno.openSync("/proc/self/status");
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return null;
    throw error;
  }
}
