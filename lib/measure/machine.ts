/** The machine that something was measured on: enough to judge its times by, nothing that names it or its owner. */

import { cpus, totalmem } from "node:os";

export interface Machine {
  /** As the processor calls itself. */
  readonly processor: string;
  /** Logical. */
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  /** "linux x86_64" */
  readonly system: string;
}

export function readMachine(): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() || "unknown",
    cores: processors.length,
    memory: totalmem(),
    system: `${Deno.build.os} ${Deno.build.arch}`,
  };
}
