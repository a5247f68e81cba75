/** CLIP's features of a comparison's pictures and texts: what the store has is not computed again. */

import { basename, join } from "node:path";
import { Clip } from "../model/clip.ts";
import type { Progress } from "../view/progress.ts";
import { progress } from "../view/progress.ts";
import { readPicture } from "../view/picture.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vocabularyFiles } from "../text/vocabulary.ts";
import { digestOf } from "./content.ts";
import type { Store } from "./store.ts";

export interface FeaturesOptions {
  readonly store: Store;
  readonly signal?: AbortSignal;
}

/** Pictures that are read before the tower runs. */
const BATCH = 16;

export class Features {
  readonly #clip: Clip;
  readonly #network: string;
  readonly #options: FeaturesOptions;

  private constructor(clip: Clip, network: string, options: FeaturesOptions) {
    this.#clip = clip;
    this.#network = network;
    this.#options = options;
  }

  /** @param path of a CLIP, as `Clip.open` takes it */
  static async open(path: string, options: FeaturesOptions): Promise<Features> {
    const clip = await Clip.open(path);
    const { path: weights, text, vision, tokenizer: { folder }, preprocessing } = clip.checkpoint;
    const vocabulary: string[] = [];
    for (const file of await vocabularyFiles(folder)) vocabulary.push(await options.store.digest(file));
    const parts = [
      await options.store.digest(weights),
      text.architecture,
      vision.architecture,
      preprocessing,
      vocabulary,
    ];
    return new Features(clip, digestOf(JSON.stringify(parts)), options);
  }

  /** What names the network and how it is fed: a part of the name of everything computed by it. */
  get network(): string {
    return this.#network;
  }

  /**
   * Features of picture files, by path.
   *
   * @param itemOf what names a file's content. Default: its own name, as the store names pictures by their hash
   */
  async ofPictures(
    paths: readonly string[],
    itemOf: (path: string) => Promise<string> = (path) => Promise.resolve(basename(path)),
  ): Promise<ReadonlyMap<string, Tensor>> {
    const items = new Map<string, string>();
    for (const path of new Set(paths)) items.set(path, await itemOf(path));
    return await this.#all(items, async (batch) => {
      const features: Tensor[] = [];
      // Sizes differ between models: each picture is scaled for itself.
      for (const path of batch) features.push((await this.#clip.images(await readPicture(path))).at(0));
      return features;
    });
  }

  /** Features of texts, by text. */
  async ofTexts(texts: readonly string[]): Promise<ReadonlyMap<string, Tensor>> {
    const items = new Map(texts.map((text) => [text, `text ${digestOf(text)}`]));
    return await this.#all(items, async (batch) => {
      const features = await this.#clip.texts(batch);
      return batch.map((_, index) => features.at(index));
    });
  }

  close(): Promise<void> {
    return this.#clip.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #all(
    items: ReadonlyMap<string, string>,
    compute: (names: readonly string[]) => Promise<readonly Tensor[]>,
  ): Promise<ReadonlyMap<string, Tensor>> {
    const { store, signal } = this.#options;
    const found = new Map<string, Tensor>();
    const missing: string[] = [];
    for (const [name, item] of items) {
      const feature = store.feature(this.#network, item);
      if (feature === undefined) missing.push(name);
      else found.set(name, feature);
    }
    let bar: Progress | undefined;
    try {
      for (let start = 0; start < missing.length; start += BATCH) {
        signal?.throwIfAborted();
        bar ??= await progress({ label: "measuring quality", total: missing.length });
        const batch = missing.slice(start, start + BATCH);
        const features = await compute(batch);
        for (const [index, name] of batch.entries()) {
          store.setFeature(this.#network, items.get(name) ?? name, features[index]);
          found.set(name, features[index]);
        }
        await bar.update({ done: start + batch.length });
      }
    } finally {
      await bar?.end();
    }
    return found;
  }
}

const PICTURES = /\.(png|webp|jpe?g)$/i;

/** The picture files of a folder, by name. @throws an error whose message is one sentence where there are not two */
export async function picturesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) if (isFile && PICTURES.test(name)) names.push(name);
  } catch (error) {
    throw new Error(`Cannot read the pictures in ${folder}: ${error instanceof Error ? error.message : error}.`);
  }
  if (names.length < 2) {
    throw new RangeError(
      `Cannot compare with the pictures in ${folder}: it holds ${names.length}; two .png, .webp or .jpg were wanted at least.`,
    );
  }
  return names.sort().map((name) => join(folder, name));
}
