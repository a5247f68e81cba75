/** The models that the article compares, by their names on the hub. */

import { resolveModelPath, type ResolveOptions } from "../../hub/resolve.ts";
import { type Family, gather, listArticle, pathsOf, type Shelf } from "./article.ts";

const LIGHTNING = "ByteDance/SDXL-Lightning:sdxl_lightning";
const BASE = "stabilityai/stable-diffusion-xl-base-1.0";

/** The article's files, by their published names. One step predicts x0, and its files say so. */
const SHELF: Shelf = {
  base: { model: BASE },
  guidance: 5,
  full: (steps) => ({ model: `${LIGHTNING}_${steps}step${steps === 1 ? "_x0" : ""}.safetensors` }),
  unet: (steps) => ({ model: BASE, unet: `${LIGHTNING}_${steps}step_unet${steps === 1 ? "_x0" : ""}.safetensors` }),
  lora: (steps) => `${LIGHTNING}_${steps}step_lora.safetensors`,
  custom: { model: "RunDiffusion/Juggernaut-XL-v9:Juggernaut-XL_v9_RunDiffusionPhoto_v2.safetensors" },
  turbo: { model: "stabilityai/sdxl-turbo" },
  lcm: "latent-consistency/lcm-lora-sdxl:pytorch_lora_weights.safetensors",
};

/** Every reference of the article: what `deno task pull` brings, 15 of them and about 80 GB. */
export const publishedReferences: readonly string[] = [
  ...new Set(listArticle(SHELF).flatMap(({ model }) => pathsOf(model))),
];

/**
 * The article's own models, as far as the hub's cache on this machine has them. Nothing is downloaded: what is missing is
 * told in `missing`, with the command that brings it.
 *
 * ```ts
 * import { publishedFamily } from "fewstep";
 *
 * const { models, missing } = await publishedFamily();
 * console.log(models.length, missing);
 * ```
 */
export async function publishedFamily(options: Omit<ResolveOptions, "pull"> = {}): Promise<Family> {
  const faults = new Map<string, string | undefined>();
  for (const reference of publishedReferences) faults.set(reference, await faultOf(reference, options));
  return await gather(
    listArticle(SHELF),
    ({ model }) => Promise.resolve(pathsOf(model).flatMap((path) => faults.get(path) ?? []).at(0)),
  );
}

/** Why a reference cannot be opened; undefined where it can. */
async function faultOf(reference: string, options: Omit<ResolveOptions, "pull">): Promise<string | undefined> {
  try {
    await resolveModelPath(reference, options);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return error.message;
    throw error;
  }
}
