/** What made a comparison's figures and tables: its plan, with what each cell came to. */

import { describeMaker, portablePath, type Provenance, type ProvenanceModel } from "../model/provenance.ts";
import { requestJson } from "../model/request_json.ts";
import { recipes } from "../diffusion/mod.ts";
import type { Cell } from "./cell.ts";
import type { Plan, PlannedCell, PlannedModel } from "./plan.ts";

/** @param cells one a cell of the plan, in its order */
export function provenanceOfPlan({ models, cells: planned }: Plan, cells: readonly Cell[]): Provenance {
  return {
    ...describeMaker(planned[0]?.content.runtime),
    models: models.map(describeModel),
    runs: planned.map((plannedCell, index) => describeCell(plannedCell, cells[index])),
  };
}

function describeModel({ options, digests }: PlannedModel): ProvenanceModel {
  const { name, model, unet, vae, tokenizer, loras = [], loraMode = "branch", precision } = options;
  const told = (path?: string) => path === undefined ? undefined : portablePath(path);
  return {
    name,
    checkpoint: portablePath(model),
    unet: told(unet),
    vae: told(vae),
    tokenizer: told(tokenizer),
    loras: loras.map((lora) => typeof lora === "string" ? { path: lora } : lora)
      .map(({ path, strength = 1 }) => ({ path: portablePath(path), strength })),
    loraMode,
    precision,
    digests: { ...digests },
  };
}

function describeCell({ modelIndex, way, content }: PlannedCell, cell: Cell): Provenance["runs"][number] {
  const { prompt, negative, seed, steps, sampler, guidance, width, height } = cell;
  const size = { width, height };
  return {
    model: modelIndex,
    request: requestJson({ ...way, prompt, negative: negative ?? undefined, seed: BigInt(seed), size }),
    sampler,
    spacing: way.spacing ?? recipes[way.recipe]?.spacing,
    prediction: content.prediction,
    steps,
    guidance,
    size,
    digest: cell.latentDigest,
    machine: cell.machine,
  };
}
