/** What the network's output means, and what says so. */

import { type Prediction, recipes, type SchedulerConfig, SDXL_SCHEDULER } from "../../diffusion/mod.ts";
import type { Contents } from "../../weights/checkpoint.ts";

export function predictionOf(
  { markers }: Contents,
  scheduler: SchedulerConfig | undefined,
  metadata: ReadonlyMap<string, string>,
  fitting: readonly string[],
): { readonly type: Prediction; readonly told: string } {
  if (scheduler !== undefined) return { type: scheduler.prediction, told: "by its scheduler file" };
  if (markers.velocity) return { type: "v", told: "by its marker v_pred" };
  const spoken = metadata.get("modelspec.prediction_type");
  if (spoken === "epsilon" || spoken === "v") {
    return { type: spoken, told: `by its metadata, modelspec.prediction_type "${spoken}"` };
  }
  // No file tells x0: what a 1-step distillation predicts is known by its recipe.
  const wanted = fitting.find((name) => recipes[name].prediction === "sample");
  if (wanted !== undefined) return { type: "sample", told: `as the recipe ${wanted} wants` };
  return { type: SDXL_SCHEDULER.prediction, told: "SDXL base's, as nothing says otherwise" };
}
