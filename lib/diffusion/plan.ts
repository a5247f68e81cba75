/** A request becomes a trajectory: the recipe's choices, the request's own on top, and a guard against misuse. */

import type { Prediction, SamplerName, Spacing, Trajectory } from "./contract.ts";
import { type Recipe, recipes } from "./recipes.ts";
import { scheduleOf } from "./schedule.ts";
import { type SchedulerConfig, SDXL_SCHEDULER } from "./scheduler_config.ts";

/** The part of a request that decides the trajectory. */
export interface PlanOptions {
  /** Default "base". */
  readonly recipe?: string;
  readonly sampler?: SamplerName;
  readonly spacing?: Spacing;
  readonly prediction?: Prediction;
  readonly steps?: number;
  readonly guidance?: number;
  /** Runs what the weights were not made for. */
  readonly unguarded?: boolean;
}

/**
 * Resolves a request against its recipe and the model's own scheduler file.
 * @throws RangeError for an unknown recipe, for what the recipe's weights were not made for (unless `unguarded`),
 * and for numbers that no schedule can be made of
 */
export function plan(options: PlanOptions = {}, config: SchedulerConfig = SDXL_SCHEDULER): Trajectory {
  const { recipe: name = "base", unguarded = false } = options;
  const recipe = recipeNamed(name);
  const steps = options.steps ?? recipe.steps;
  if (!unguarded) guard(name, recipe, options);
  const guidance = options.guidance ?? recipe.guidance;
  if (!Number.isFinite(guidance)) {
    throw new RangeError(`Cannot guide by ${guidance}: wanted is a finite number, 0 or 1 for no guidance.`);
  }
  const spacing = options.spacing ?? recipe.spacing ?? config.spacing;
  return {
    recipe: name,
    sampler: options.sampler ?? recipe.sampler ?? config.sampler,
    prediction: options.prediction ?? recipe.prediction ?? config.prediction,
    schedule: scheduleOf(config, { steps, spacing }),
    guidance,
  };
}

function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  throw new RangeError(
    `Cannot run recipe "${name}": there is none of that name. Known: ${Object.keys(recipes).join(", ")}.`,
  );
}

/** The first thing asked for that the recipe's weights were not made for, as one sentence. */
function guard(name: string, { allowed, why }: Recipe, options: PlanOptions): void {
  const { steps, guidance, spacing, prediction } = options;
  const refuse = (what: string, reason: string, wanted: string): never => {
    throw new RangeError(`Cannot run ${name} ${what}: ${reason} Allowed: ${wanted} (or pass unguarded to try anyway).`);
  };
  if (steps !== undefined && allowed.steps && !allowed.steps.includes(steps)) {
    const made = orList(allowed.steps);
    refuse(`for ${steps} ${steps === 1 ? "step" : "steps"}`, `it was distilled for ${made}.`, made);
  }
  if (guidance !== undefined && allowed.guidance !== undefined && guidance > allowed.guidance) {
    refuse(`with guidance ${guidance}`, "guidance is already in its weights.", `0 to ${allowed.guidance}`);
  }
  if (spacing !== undefined && allowed.spacing && !allowed.spacing.includes(spacing)) {
    refuse(`on ${spacing} spacing`, why, orList(allowed.spacing));
  }
  if (prediction !== undefined && allowed.prediction && !allowed.prediction.includes(prediction)) {
    refuse(`with prediction ${prediction}`, why, orList(allowed.prediction));
  }
}

/** "1, 2 or 4" */
function orList(values: readonly (string | number)[]): string {
  const last = values.at(-1);
  return values.length < 2 ? `${last}` : `${values.slice(0, -1).join(", ")} or ${last}`;
}
