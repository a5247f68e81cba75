/** Which recipes a model of a comparison runs by. */

import { basename } from "node:path";
import { allowsSteps, recipes } from "../diffusion/mod.ts";
import { guessDistillation } from "../model/inspect/distillation.ts";
import { kindOf } from "../weights/files.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import type { ComparedModel, CompareOptions, Way } from "./options.ts";

/** A recipe without its number of steps: "lightning-4step" and "lightning-8step" are one family. */
export function familyOf(recipe: string): string {
  return recipe.replace(/-\d+step\b/, "");
}

/** The recipe that a model's weights were made for: what is said, else what the names of its files tell, else "base". */
export async function ownRecipe({ recipe, model, unet, loras = [] }: ComparedModel): Promise<string> {
  if (recipe !== undefined) return recipe;
  // What comes last changes the model last: a LoRA says more than the U-Net, a U-Net more than the checkpoint.
  const paths = [...loras.map((lora) => typeof lora === "string" ? lora : lora.path).toReversed(), unet, model];
  for (const path of paths) {
    if (path === undefined) continue;
    const { certainty, recipes: [best] } = guessDistillation({ path, metadata: await metadataOf(path) });
    if (certainty !== "unknown" && best !== undefined) return best;
  }
  return "base";
}

async function metadataOf(path: string): Promise<ReadonlyMap<string, string>> {
  return await kindOf(path) === "file" ? (await openSafetensors(path)).metadata : new Map();
}

/** The ways to run a model, and a sentence for each that was asked for and is left out. */
export async function waysOf(
  model: ComparedModel,
  { recipes: asked, steps }: Pick<CompareOptions, "recipes" | "steps">,
): Promise<{ readonly ways: readonly (Way & { readonly recipe: string })[]; readonly omitted: readonly string[] }> {
  const own = await ownRecipe(model);
  wantRecipe(own);
  const given = model.recipes ?? asked;
  if (given !== undefined) {
    const ways = given.map((way) => typeof way === "string" ? { recipe: way } : { recipe: own, ...way });
    for (const { recipe } of ways) wantRecipe(recipe);
    return { ways, omitted: [] };
  }
  if (steps === undefined) return { ways: [{ recipe: own }], omitted: [] };
  const made = steps.filter((count) => allowsSteps(own, count));
  const rest = steps.filter((count) => !made.includes(count));
  const files = model.unet === undefined ? "" : ` (${basename(model.unet)})`;
  return {
    ways: made.map((count) => ({ recipe: own, ...(count !== recipes[own].steps && { steps: count }) })),
    omitted: rest.length === 0
      ? []
      : [`${model.name}${files} is not run in ${listed(rest)} steps: its recipe ${own} is not for these.`],
  };
}

function listed(numbers: readonly number[]): string {
  const last = numbers.at(-1) ?? "";
  return numbers.length < 2 ? `${last}` : `${numbers.slice(0, -1).join(", ")} or ${last}`;
}

function wantRecipe(name: string): void {
  if (Object.hasOwn(recipes, name)) return;
  throw new RangeError(
    `Cannot compare by recipe "${name}": there is none of that name. Known: ${Object.keys(recipes).join(", ")}.`,
  );
}
