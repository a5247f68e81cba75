/** What the numbers were measured on, and with. */

import { cpus, totalmem } from "node:os";
import { VERSION } from "../version.ts";

/** "2 × Intel(R) Xeon(R) Processor, 24 GiB, linux x86_64": processors as the system counts them, and all memory. */
export function describeMachine(): string {
  const all = cpus();
  const model = all[0]?.model.replace(/\s+/g, " ").trim() || "unknown processor";
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${all.length} × ${model}, ${gibibytes} GiB, ${Deno.build.os} ${Deno.build.arch}`;
}

/** "fewstep 0.1.0, ONNX Runtime 1.30.0, CPU, Deno 2.9.6" */
export function describeVersions(runtime: string): string {
  return `fewstep ${VERSION}, ${runtime}, Deno ${Deno.version.deno}`;
}
