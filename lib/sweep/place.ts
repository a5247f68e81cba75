/** Where files of cells lie, as a text that can be handed to another machine. */

import { type Files, FolderFiles } from "./files.ts";

/**
 * Opens a folder, or a bucket by "s3://BUCKET/PREFIX".
 *
 * @param local the folder where files of a bucket are read on this machine; left out, they pass through a temporary one
 * @throws an error whose message is one sentence
 */
export async function openPlace(place: string, local?: string): Promise<Files> {
  if (!place.startsWith("s3:")) return await FolderFiles.open(place);
  const { BucketFiles } = await import("./bucket.ts");
  return await BucketFiles.open(place, local);
}
