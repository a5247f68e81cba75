/** A device's run held against the processor's, both in processes of their own. */

import { join } from "node:path";
import * as v from "valibot";
import type { Device } from "fewstep";
import { close, ok, relativeL2 } from "../assert.ts";

const told = v.object({ runtime: v.string(), tensors: v.record(v.string(), v.array(v.number())) });

export interface DeviceRun {
  readonly device: Device;
  readonly precision: "fp32" | "fp16";
  /** What its process's environment has beside this one's. */
  readonly env?: Readonly<Record<string, string>>;
}

async function run(name: string, { device, precision, env = {} }: DeviceRun) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "-A",
      "--no-check",
      join(import.meta.dirname ?? "", "on_device.ts"),
      name,
      device,
      precision,
    ],
    env: { ...env },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`The run on ${device} failed: ${text.decode(stderr)}`);
  return v.parse(told, JSON.parse(text.decode(stdout)));
}

/**
 * Text, prediction, latent and picture of a run, each within `tolerance` of the processor's in float32, relative L2.
 * @param name of a run in on_device.ts
 */
export async function compareWithProcessor(name: string, on: DeviceRun, tolerance: number): Promise<void> {
  const cpu = await run(name, { device: "cpu", precision: "fp32" });
  const { runtime, tensors } = await run(name, on);
  ok(runtime.toLowerCase().endsWith(on.device), runtime);
  for (const [tensor, values] of Object.entries(cpu.tensors)) {
    close(tensors[tensor], values, tolerance, tensor);
    console.log(`${name}, ${on.precision}, ${tensor}: ${relativeL2(tensors[tensor], values).toExponential(1)}`);
  }
}
