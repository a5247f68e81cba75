/** Where a command writes, checked before it computes for minutes. */

import { dirname } from "node:path";
import { kindOf } from "../weights/files.ts";
import { UsageError } from "./args.ts";

/** FILE.png, or FILE-0.png, FILE-1.png, … for several pictures. @throws UsageError for an ending that is no picture's */
export function outputFiles(out: string, count: number): string[] {
  const [, stem, ending] = /^(.*)(\.(?:png|webp))$/i.exec(out) ?? [];
  if (stem === undefined || ending === undefined) {
    throw new UsageError(
      `Cannot write the picture to ${JSON.stringify(out)}: a name that ends in .png or .webp was wanted.`,
    );
  }
  return count === 1 ? [out] : Array.from({ length: count }, (_, index) => `${stem}-${index}${ending}`);
}

/** @throws Error when a file could not be written: its folder is missing, or it is a folder itself */
export async function wantWritable(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const folder = dirname(file);
    const kind = await kindOf(folder);
    if (kind !== "folder") {
      const why = kind === "file" ? `${folder} is a file, not a folder` : `the folder ${folder} does not exist`;
      throw new Error(`Cannot write ${file}: ${why}.`);
    }
    if (await kindOf(file) === "folder") throw new Error(`Cannot write ${file}: it is a folder, a file was wanted.`);
  }
}
