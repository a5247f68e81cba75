/** The pocket family: small SDXL models of the repository, each in the form that its big counterpart is published in. */

import { join } from "node:path";
import { kindOf } from "../../weights/files.ts";
import { type Family, gather, type LightningSteps, listArticle, type Opening, pathsOf, type Shelf } from "./article.ts";
import { fullCheckpoint } from "./full.ts";

/** Where the pocket family lies, and where its full checkpoints go. */
export interface PocketFamilyOptions {
  /** Default "models/pocket". */
  readonly folder?: string;
  /**
   * Where full checkpoints are made of base and U-Net, as the repository holds each weight once. Default
   * "models/baked", which git ignores: about 40 MB each, made in about a second, and again when the weights changed.
   */
  readonly baked?: string;
}

/** What the pocket base was trained to be guided by. */
const GUIDANCE = 4;
/** Pixels: Turbo was distilled at half the base's size, as SDXL-Turbo was. */
const TURBO = { width: 64, height: 64 };

/**
 * The pocket family as the article's list of models: what is in the folder, under the names of its published roles. What
 * is not there is told in `missing`.
 *
 * ```ts
 * import { articlePrompts, compare, pocketFamily } from "fewstep";
 *
 * const { sections } = await pocketFamily();
 * const models = [...sections.base, ...sections.turbo];
 * const runs = await compare({ models, prompts: articlePrompts.slice(0, 1) });
 * console.log(runs.summary.map(({ model, steps, seconds }) => [model, steps, seconds.total.median]));
 * ```
 *
 * @throws an error in one sentence when there is no base, or a full checkpoint cannot be made
 */
export async function pocketFamily(
  { folder = "models/pocket", baked = "models/baked" }: PocketFamilyOptions = {},
): Promise<Family> {
  const base = join(folder, "base");
  if (await kindOf(base) === "nothing") {
    throw new Deno.errors.NotFound(
      `Cannot list the pocket family in ${folder}: it has no base. Is it the right folder?`,
    );
  }
  const at = (name: string) => join(folder, `${name}.safetensors`);
  const there = async (path: string) => await kindOf(path) !== "nothing";
  const suffix = (steps: LightningSteps) => steps === 1 ? "_x0" : "";
  const unet = (steps: LightningSteps) => at(`lightning_${steps}step_unet${suffix(steps)}`);

  const full = new Map<LightningSteps, Opening>();
  const notes: string[] = [];
  for (const steps of [8, 4, 2, 1] as const) {
    const name = `lightning_${steps}step${suffix(steps)}`;
    let model = at(name);
    if (!await there(model) && await there(unet(steps))) {
      const { path, note } = await fullCheckpoint(base, unet(steps), join(baked, name));
      model = path;
      if (note !== undefined) notes.push(note);
    }
    full.set(steps, { model, tokenizer: base });
  }
  const turboFolder = join(folder, "turbo");
  const turbo = await there(turboFolder) ? { model: turboFolder } : { model: base, unet: at("turbo_unet") };
  const clip = join(folder, "clip");
  const shelf: Shelf = {
    base: { model: base },
    guidance: GUIDANCE,
    full: (steps) => full.get(steps) ?? { model: at(`lightning_${steps}step`) },
    unet: (steps) => ({ model: base, unet: unet(steps) }),
    lora: (steps) => at(`lightning_${steps}step_lora`),
    custom: { model: at("custom"), tokenizer: base },
    turbo: { ...turbo, size: TURBO },
    lcm: at("lcm_lora"),
  };
  const listed = listArticle(shelf);
  return await gather(
    listed,
    async ({ model }) => {
      for (const path of pathsOf(model)) if (!await there(path)) return `There is no ${path}.`;
    },
    { notes, ...(await there(clip) && { clip }) },
  );
}
