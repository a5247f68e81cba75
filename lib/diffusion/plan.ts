/** A request becomes a trajectory: the recipe's choices, the request's own on top, and a guard against misuse. */

import type { InitNoise, Prediction, Ramp, SamplerName, Schedule, Spacing, Trajectory } from "./contract.ts";
import { type Range, type Recipe, recipes } from "./recipes.ts";
import { scheduleOf } from "./schedule.ts";
import { type SchedulerConfig, SDXL_SCHEDULER } from "./scheduler_config.ts";

/** The part of a request that decides the trajectory. */
export interface PlanOptions {
  /** Default "base". */
  readonly recipe?: string;
  /** Default: the recipe's, else the one of the checkpoint's scheduler file. */
  readonly sampler?: SamplerName;
  /** How timesteps are picked. Default: the recipe's, else that of the checkpoint's scheduler file. */
  readonly spacing?: Spacing;
  /**
   * Lays the sigmas out anew between the first and the last. Default: none where the recipe names a spacing, else as
   * the scheduler file says.
   */
  readonly ramp?: Ramp;
  /** How the network's output is read. Default: the recipe's, else what the checkpoint says, else "epsilon". */
  readonly prediction?: Prediction;
  /** Denoising steps. Default: as many as are listed in `timesteps` or `sigmas`, else the recipe's. */
  readonly steps?: number;
  /** The timesteps themselves, descending; in place of `steps` and `spacing`. */
  readonly timesteps?: readonly number[];
  /** The noise levels themselves, descending to 0; in place of `steps` and `spacing`. */
  readonly sigmas?: readonly number[];
  /** What unit noise is multiplied by to begin with. Default: as the tool does whose spacing it is. */
  readonly initNoise?: InitNoise;
  /** Scale of classifier-free guidance; 0 and 1 run the prompt alone, at half the cost. Default: the recipe's. */
  readonly guidance?: number;
  /** How much of the guided output's contrast is taken back to the prompt's own, 0 … 1. Default 0. */
  readonly guidanceRescale?: number;
  /** Guides only at noise levels between the two. Default: at all. */
  readonly guidanceInterval?: { readonly from: number; readonly to: number };
  /** How much noise comes back, for samplers with a choice (ddim, tcd). Default: the recipe's, or the sampler's own. */
  readonly eta?: number;
  /** For a start from a picture: the share of the steps that is taken, 0 … 1. Default 1. */
  readonly strength?: number;
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
  const { steps: asked = levelsGiven(options), spacing, guidance = recipe.guidance } = options;
  if (!unguarded) guard(name, recipe, { ...options, steps: asked });
  wantNumbers(options, guidance);
  const sampler = options.sampler ?? recipe.sampler ?? config.sampler;
  wantOneMeaning(options, sampler);
  const eta = options.eta ?? (sampler === "ddim" || sampler === "tcd" ? recipe.eta : undefined);
  const steps = asked ?? recipe.steps;
  // The recipe's own timesteps stand for its steps: asking for others, or for a spacing, replaces them.
  const own = spacing === undefined && steps === recipe.steps ? recipe.timesteps : undefined;
  // A recipe that names its spacing means those levels: what the checkpoint's file lays out anew does not apply.
  const levels = recipe.spacing === undefined ? config : { ...config, ramp: undefined };
  const whole = scheduleOf(levels, {
    ...options,
    sampler,
    eta,
    steps,
    spacing: spacing ?? recipe.spacing,
    timesteps: options.timesteps ?? (options.sigmas ? undefined : own),
  });
  const embedded = recipe.guidanceInput === "embedding";
  return {
    recipe: name,
    sampler,
    prediction: options.prediction ?? recipe.prediction ?? config.prediction,
    schedule: lastShare(whole, options.strength, sampler),
    guidance: embedded ? 0 : guidance,
    ...(embedded && { embeddedGuidance: guidance }),
    ...(options.guidanceRescale !== undefined && { guidanceRescale: options.guidanceRescale }),
    ...(options.guidanceInterval && { guidanceInterval: options.guidanceInterval }),
    ...(eta !== undefined && { eta }),
  };
}

/** How many steps a request lists one by one. */
function levelsGiven({ timesteps, sigmas }: PlanOptions): number | undefined {
  return timesteps?.length ?? (sigmas && sigmas.length - 1);
}

/** What a request says twice must agree, and what a sampler does not have cannot be asked of it. */
function wantOneMeaning(options: PlanOptions, sampler: SamplerName): void {
  const { steps, timesteps, sigmas, spacing, eta } = options;
  const listed = levelsGiven(options);
  if (timesteps && sigmas) {
    throw new RangeError("Cannot run on timesteps and sigmas at once: each stands for the other. Give one of them.");
  }
  if (listed !== undefined && steps !== undefined && steps !== listed) {
    throw new RangeError(`Cannot take ${steps} steps over ${listed} listed levels: leave steps out, or list as many.`);
  }
  if (listed !== undefined && spacing !== undefined) {
    throw new RangeError(`Cannot run listed levels on ${spacing} spacing: they are the spacing. Give one of the two.`);
  }
  if (eta !== undefined && sampler !== "ddim" && sampler !== "tcd") {
    throw new RangeError(`Cannot run ${sampler} with eta: it has no such choice. Allowed for: ddim and tcd.`);
  }
}

/**
 * The last ⌊steps · strength⌋ steps, as diffusers takes them for a start from a picture. Heun's go by pairs.
 * @throws RangeError when none is left, with the least strength that leaves one
 */
function lastShare(schedule: Schedule, strength: number | undefined, sampler: SamplerName): Schedule {
  if (strength === undefined) return schedule;
  const order = sampler === "heun" ? 2 : 1;
  const steps = Math.ceil(schedule.timesteps.length / order);
  const kept = Math.floor(steps * strength);
  if (!(strength >= 0 && strength <= 1) || kept < 1) {
    throw new RangeError(
      `Cannot start from a picture with strength ${strength} in ${steps} ${steps === 1 ? "step" : "steps"}: ` +
        `that leaves no step to take. Allowed: ${
          steps === 1 ? "1" : `${ceilTo(1 / steps, 1000)} to 1`
        }, or more steps.`,
    );
  }
  const start = (steps - kept) * order;
  return {
    timesteps: schedule.timesteps.slice(start),
    sigmas: schedule.sigmas.slice(start),
    initNoiseSigma: schedule.initNoiseSigma,
    ...(schedule.landings && { landings: schedule.landings.slice(start) }),
  };
}

function ceilTo(value: number, parts: number): number {
  return Math.ceil(value * parts) / parts;
}

function wantNumbers({ guidanceRescale = 0, eta = 0 }: PlanOptions, guidance: number): void {
  if (!Number.isFinite(guidance)) {
    throw new RangeError(`Cannot guide by ${guidance}: wanted is a finite number, 0 or 1 for no guidance.`);
  }
  if (!(guidanceRescale >= 0 && guidanceRescale <= 1)) {
    throw new RangeError(`Cannot rescale guidance by ${guidanceRescale}: wanted is 0, not at all, to 1.`);
  }
  if (!(eta >= 0 && eta <= 1)) {
    throw new RangeError(`Cannot run with eta ${eta}: wanted is 0, no noise, to 1, as much as possible.`);
  }
}

function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  throw new RangeError(
    `Cannot run recipe "${name}": there is none of that name. Known: ${Object.keys(recipes).join(", ")}.`,
  );
}

/** The first thing asked for that the recipe's weights were not made for, as one sentence. */
function guard(name: string, { allowed, why }: Recipe, options: PlanOptions): void {
  const { sampler, steps, guidance, spacing, ramp, prediction } = options;
  const refuse = (what: string, reason: string, wanted: string): never => {
    throw new RangeError(`Cannot run ${name} ${what}: ${reason} Allowed: ${wanted} (or pass unguarded to try anyway).`);
  };
  if (steps !== undefined && allowed.steps && !allows(allowed.steps, steps)) {
    const made = spell(allowed.steps);
    refuse(`for ${steps} ${steps === 1 ? "step" : "steps"}`, `it was distilled for ${made}.`, made);
  }
  if (sampler !== undefined && allowed.sampler && !allowed.sampler.includes(sampler)) {
    refuse(`with sampler ${sampler}`, why, spell(allowed.sampler));
  }
  if (guidance !== undefined && allowed.guidance && !allows(allowed.guidance, guidance)) {
    refuse(`with guidance ${guidance}`, why, spell(allowed.guidance));
  }
  if (spacing !== undefined && allowed.spacing && !allowed.spacing.includes(spacing)) {
    refuse(`on ${spacing} spacing`, why, spell(allowed.spacing) || "its own timesteps");
  }
  if (ramp !== undefined && allowed.spacing) {
    refuse(`with ${ramp} sigmas`, why, `${spell(allowed.spacing) || "its own timesteps"}, as it is`);
  }
  if (prediction !== undefined && allowed.prediction && !allowed.prediction.includes(prediction)) {
    refuse(`with prediction ${prediction}`, why, spell(allowed.prediction));
  }
}

/** Whether a recipe's weights were made for a number of steps. @throws RangeError for an unknown recipe */
export function allowsSteps(name: string, steps: number): boolean {
  const { allowed } = recipeNamed(name);
  return allowed.steps === undefined || allows(allowed.steps, steps);
}

type Allowed = readonly (number | string)[] | Range;

function isRange(allowed: Allowed): allowed is Range {
  return "from" in allowed;
}

function allows(allowed: Allowed, value: number): boolean {
  return isRange(allowed) ? value >= allowed.from && value <= allowed.to : allowed.includes(value);
}

/** "1, 2 or 4", "2 to 8" */
function spell(allowed: Allowed): string {
  if (isRange(allowed)) return `${allowed.from} to ${allowed.to}`;
  const last = allowed.at(-1) ?? "";
  return allowed.length < 2 ? `${last}` : `${allowed.slice(0, -1).join(", ")} or ${last}`;
}
