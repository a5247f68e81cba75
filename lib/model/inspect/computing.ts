/** How a checkpoint's networks would be written for each device and precision, and why. No library is asked. */

import { describeParts } from "../prepared.ts";
import { PRECISIONS } from "../precision.ts";
import { type Way, ways } from "../sessions/ways.ts";
import type { Computing } from "./inspection.ts";

/** By what the command line takes. */
const CHOICES: readonly (readonly [device: Computing["device"], way: Way])[] = [
  ["cpu", ways.cpu],
  ["cpu --memory lean", ways.cpuLean],
  ["openvino", ways.openvino],
  ["webgpu", ways.webgpu],
  ["cuda", ways.cuda],
];

/** Each device in each precision: the same for every checkpoint that has a U-Net. */
export function computings(): readonly Computing[] {
  return CHOICES.flatMap(([device, way]) =>
    PRECISIONS.map((precision): Computing => {
      const { [precision]: refused }: Way["refused"] = way.refused;
      if (refused !== undefined) return { device, precision, refused };
      const parts = describeParts({ ...way, name: device }, precision);
      return {
        device,
        precision,
        parts: parts.map(({ part, precision, lowering, why }) => ({ part, precision, lowering, why })),
      };
    })
  );
}
