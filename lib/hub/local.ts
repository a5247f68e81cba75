/** Names of this disk, which win over names of the hub. */

import { kindOf } from "../weights/files.ts";

/**
 * Whether a file or folder of that name lies on this disk. What cannot be looked for at all, as it is too long for a
 * path or, on Windows, has a colon, lies nowhere.
 *
 * @throws PermissionDenied, one sentence, where something lies there that may not be looked at
 */
export async function isLocal(text: string): Promise<boolean> {
  try {
    return await kindOf(text) !== "nothing";
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) throw error;
    return false;
  }
}
