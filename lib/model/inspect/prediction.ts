/** What the network's output means, and what says so. */

import { type Prediction, type SchedulerConfig, SDXL_SCHEDULER } from "../../diffusion/mod.ts";
import type { Contents } from "../../weights/checkpoint.ts";

export function predictionOf(
  { markers }: Contents,
  scheduler: SchedulerConfig | undefined,
  metadata: ReadonlyMap<string, string>,
): { readonly type: Prediction; readonly told: string } {
  if (scheduler !== undefined) return { type: scheduler.prediction, told: "by its scheduler file" };
  if (markers.velocity) return { type: "v", told: "by its marker v_pred" };
  const spoken = metadata.get("modelspec.prediction_type");
  if (spoken === "epsilon" || spoken === "v") {
    return { type: spoken, told: `by its metadata, modelspec.prediction_type "${spoken}"` };
  }
  return { type: SDXL_SCHEDULER.prediction, told: "SDXL base's, as nothing says otherwise" };
}
