/** From what a user calls a model to where it lies. */

import { kindOf } from "../weights/files.ts";
import { findCached } from "./find.ts";
import { pull, type PullOptions } from "./pull.ts";
import { parseReference } from "./reference.ts";
import { hubSettings } from "./settings.ts";

export interface ResolveOptions extends PullOptions {
  /** Bring what the cache lacks, over the network. Default false: a model is never downloaded unasked. */
  readonly pull?: boolean;
}

/**
 * The path of a model that is called by its path or by its name on the hub. A file or folder of that name wins; then
 * the cache, where downloads of diffusers lie too.
 *
 * @throws Error, one sentence: what is neither, or which command brings it
 */
export async function resolveModelPath(pathOrReference: string, options: ResolveOptions = {}): Promise<string> {
  if (await kindOf(pathOrReference) !== "nothing") return pathOrReference;
  const settings = hubSettings(options);
  if (isPlainlyPath(pathOrReference)) {
    throw new Deno.errors.NotFound(`Cannot open ${pathOrReference}: it does not exist.`);
  }
  const reference = parseReference(pathOrReference, settings);
  if (options.pull === true) return await pull(pathOrReference, options);
  return (await findCached(reference, settings)).path;
}

/** What nobody means as a name on the hub: its sentence would lead astray. */
function isPlainlyPath(text: string): boolean {
  if (/^(?:hf|https?):\/\//i.test(text)) return false;
  const [name] = text.split(":");
  return /^[./~\\]|^[A-Za-z]:[\\/]/.test(text) || name.endsWith(".safetensors") || name.split("/").length > 2;
}
