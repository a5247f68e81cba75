/** Full checkpoints made of a base and a U-Net, where only these are there: the form that most people download. */

import { basename, dirname, join } from "node:path";
import { bake } from "../../model/bake.ts";
import { open } from "../../model/open.ts";
import { kindOf, makeFolder } from "../../weights/files.ts";

/** A full checkpoint, and why it is a folder where it should have been a file. */
export interface FullCheckpoint {
  readonly path: string;
  readonly note?: string;
}

/**
 * The full checkpoint of a base and a U-Net: made once, and again when one of the two is newer. A single file under the
 * original names, as published; a diffusers folder where the model departs from SDXL's rules, as a single file holds no
 * config that would tell.
 *
 * @param stem path without ending, in a folder that is made where it is missing
 */
export async function fullCheckpoint(base: string, unet: string, stem: string): Promise<FullCheckpoint> {
  const file = `${stem}.safetensors`;
  const sources = Math.max(await lastChange(base), await lastChange(unet));
  if (await lastChange(file) > sources) return { path: file };
  const note = `${
    basename(stem)
  } is a folder: the model departs from SDXL's rules, and a single file could not say so.`;
  if (await lastChange(join(stem, "model_index.json")) > sources) return { path: stem, note };
  await makeFolder(dirname(stem));
  await using model = await open(base, { unet });
  try {
    await bake(model, file);
    return { path: file };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (await kindOf(stem) === "folder") await Deno.remove(stem, { recursive: true });
    await bake(model, stem, { layout: "folder" });
    return { path: stem, note };
  }
}

/** Milliseconds since 1970 of the last change of a file, or of any file below a folder; 0 where there is nothing. */
async function lastChange(path: string): Promise<number> {
  if (await kindOf(path) === "nothing") return 0;
  const { isDirectory, mtime } = await Deno.stat(path);
  if (!isDirectory) return mtime?.getTime() ?? 0;
  let latest = 0;
  for await (const { name } of Deno.readDir(path)) latest = Math.max(latest, await lastChange(join(path, name)));
  return latest;
}
