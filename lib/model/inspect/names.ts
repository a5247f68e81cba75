/** Names of files as their owner knows them: the hub's cache stores them under their hash, behind links. */

import { basename, join } from "node:path";
import type { Contents, PartName } from "../../weights/checkpoint.ts";
import type { SafetensorsFile } from "../../weights/safetensors.ts";
import type { StoredFile } from "./inspection.ts";

/** Within a folder `unet/NAME`, for a single file its own name. */
export async function nameFiles(
  { path, layout }: Contents,
  part: PartName,
  files: readonly SafetensorsFile[],
): Promise<readonly StoredFile[]> {
  const links = layout === "diffusers folder" ? await realPaths(join(path, part)) : new Map<string, string>();
  return files.map((file) => {
    const name = links.get(file.path);
    return { name: name === undefined ? basename(file.path) : `${part}/${name}`, bytes: file.byteLength };
  });
}

/** The names in a folder by what they point to. */
async function realPaths(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".safetensors")) names.set(await Deno.realPath(join(folder, name)).catch(() => name), name);
  }
  return names;
}
