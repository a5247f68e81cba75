/** From what a user calls a model to where it lies. */

import { findCached } from "./find.ts";
import { isLocal } from "./local.ts";
import { pull, type PullOptions } from "./pull.ts";
import { parseReference } from "./reference.ts";
import { hubSettings } from "./settings.ts";

/** Where a name is looked for, and whether it may be downloaded. */
export interface ResolveOptions extends Omit<PullOptions, "files"> {
  /** Bring over the network what the cache lacks. Default false: a model is never downloaded unasked. */
  readonly pull?: boolean;
}

/**
 * The path of a model that is called by its path or by its name on the hub. A file or folder of that name wins; then
 * the cache, where downloads of diffusers lie too. What the cache holds whole is taken as it is: whether a branch has
 * moved on, only `pull` asks.
 *
 * @throws Error, one sentence: what is neither, or which command brings it
 */
export async function resolveModelPath(pathOrReference: string, options: ResolveOptions = {}): Promise<string> {
  if (await isLocal(pathOrReference)) return pathOrReference;
  if (isPlainlyPath(pathOrReference)) {
    throw new Deno.errors.NotFound(`Cannot open ${pathOrReference}: it does not exist.`);
  }
  const settings = hubSettings(options);
  const reference = parseReference(pathOrReference, settings);
  try {
    return (await findCached(reference, settings)).path;
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    if (!missing || options.pull !== true || settings.offline) throw error;
    return await pull(pathOrReference, options);
  }
}

/** What nobody means as a name on the hub: its sentence would lead astray. */
function isPlainlyPath(text: string): boolean {
  if (/^(?:hf|https?):\/\//i.test(text)) return false;
  const [name] = text.split(":");
  return /^[./~\\]|^[A-Za-z]:[\\/]/.test(text) || name.endsWith(".safetensors") || name.split("/").length > 2;
}
