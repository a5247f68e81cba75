/** A model on a test hub, and a cache to pull it into. */

import { join } from "node:path";
import { pause } from "../../lib/hub/patience.ts";
import type { PullOptions } from "../../lib/hub/pull.ts";
import { inFolder } from "../files.ts";
import { hashOf, noise, type RepoFile, type Seen, TestHub, type Trouble } from "./server.ts";

export const big = "unet/diffusion_pytorch_model.safetensors";

export const text = (path: string, content: string): RepoFile => ({ path, bytes: new TextEncoder().encode(content) });

export function modelFiles(): RepoFile[] {
  return [
    text("README.md", "# A model"),
    text("model_index.json", JSON.stringify({ _class_name: "StableDiffusionXLPipeline", unet: ["diffusers", "U"] })),
    text("scheduler/scheduler_config.json", "{}"),
    text("unet/config.json", '{"a": 1}'),
    { path: "unet/diffusion_pytorch_model.bin", bytes: noise(1000, 9), lfs: true },
    { path: "unet/diffusion_pytorch_model.fp16.safetensors", bytes: noise(50_000, 2), lfs: true },
    { path: big, bytes: noise(300_000, 3), lfs: true },
    { path: "one file.safetensors", bytes: noise(2000, 4), lfs: true },
    text("empty.txt", ""),
  ];
}

/** Small ranges, as the files are small; no waits worth speaking of; nothing from this machine's settings. */
export function settings(hub: TestHub, cache: string): PullOptions {
  return {
    endpoint: hub.endpoint,
    cache,
    token: "",
    env: () => undefined,
    rangeBytes: 40_000,
    retry: { times: 3, wait: 1, idle: 5000 },
  };
}

export async function withHub(
  body: (hub: TestHub, options: PullOptions, cache: string) => Promise<void>,
): Promise<void> {
  await inFolder(async (cache) => {
    await using hub = new TestHub(modelFiles());
    await body(hub, settings(hub, cache), cache);
  });
}

export const repoFolder = (cache: string) => join(cache, "models--org--model");
export const blobOf = (cache: string, file: RepoFile) => join(repoFolder(cache), "blobs", hashOf(file));

export async function filesUnder(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory) {
      found.push(...(await filesUnder(join(folder, entry.name))).map((path) => `${entry.name}/${path}`));
    } else found.push(entry.name);
  }
  return found.sort();
}

export async function there(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Trouble for the bytes of the large file only. */
export const onBig = (hub: TestHub, trouble: (seen: Seen) => Trouble | undefined) => (seen: Seen) =>
  seen.path.startsWith(`/storage/${hashOf(hub.file(big))}`) ? trouble(seen) : undefined;

/** Waits until something is so. @throws Error after ten seconds: what is awaited will not come */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const began = performance.now();
  while (!await condition()) {
    if (performance.now() - began > 10_000) throw new Error("ten seconds have passed");
    await pause(10);
  }
}

/** Waits until a download has left so many bytes. */
export const untilBytes = (path: string, bytes: number) =>
  until(async () => await there(path) && (await Deno.stat(path)).size >= bytes);

/** Trouble for the first few requests that match. */
export function first(count: number, matches: (seen: Seen) => boolean, trouble: () => Trouble) {
  return (seen: Seen) => matches(seen) && count-- > 0 ? trouble() : undefined;
}

export const inApi = ({ path }: Seen) => path.startsWith("/api/");
