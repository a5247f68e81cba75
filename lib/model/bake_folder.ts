/** What a diffusers folder holds beside weights: configs, scheduler, vocabularies. */

import { basename } from "node:path";
import * as v from "valibot";
import { vocabularyFiles } from "../text/vocabulary.ts";
import { pixelsPerLatent } from "../weights/architecture.ts";
import type { Checkpoint, TokenizerFolder } from "../weights/checkpoint.ts";
import { readConfig } from "../weights/config.ts";
import {
  clipTextConfigOf,
  type Config,
  modelIndexOf,
  tokenizerConfigOf,
  unetConfigOf,
  vaeConfigOf,
} from "../weights/diffusers_config.ts";
import type { BakeDType } from "./bake_layout.ts";
import { eulerConfigOf, readScheduler } from "./scheduler.ts";

export interface FolderFile {
  /** Within the folder, with slashes. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** @throws RangeError when diffusers' configs have no words for an architecture */
export async function folderFiles(checkpoint: Checkpoint, dtype: BakeDType): Promise<readonly FolderFile[]> {
  const { unet, vae, textEncoder, textEncoder2, tokenizer, tokenizer2, forceZerosForEmptyPrompt } = checkpoint;
  const torch = dtype === "fp16" ? "float16" : "float32";
  const autoencoder = vaeConfigOf(vae.architecture, unet.architecture.sampleSize * pixelsPerLatent(vae.architecture));
  const scheduler = await schedulerOf(checkpoint);
  return [
    json("model_index.json", modelIndexOf(scheduler.kind, autoencoder._class_name, forceZerosForEmptyPrompt)),
    { name: "scheduler/scheduler_config.json", content: scheduler.content },
    json("unet/config.json", unetConfigOf(unet.architecture)),
    json("vae/config.json", autoencoder),
    json("text_encoder/config.json", clipTextConfigOf(textEncoder.architecture, torch)),
    json("text_encoder_2/config.json", clipTextConfigOf(textEncoder2.architecture, torch)),
    ...await vocabulary("tokenizer", tokenizer),
    ...await vocabulary("tokenizer_2", tokenizer2),
  ];
}

function json(name: string, config: Config): FolderFile {
  return { name, content: new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`) };
}

const named = v.looseObject({ _class_name: v.string() });

/** The checkpoint's own file as it is, where it has one: it may hold settings that the kit does not read. */
async function schedulerOf(checkpoint: Checkpoint): Promise<{ kind: string; content: Uint8Array }> {
  const { schedulerConfig: path } = checkpoint;
  if (path !== undefined) {
    return { kind: (await readConfig(path, named))._class_name, content: await Deno.readFile(path) };
  }
  const config = eulerConfigOf(await readScheduler(checkpoint, () => {})); // without a file it has nothing to warn of
  return { kind: config._class_name, content: json("", config).content };
}

const TOKENIZER_CONFIG = "tokenizer_config.json";

/** A vocabulary's files as they are, and the settings that it leaves open. */
async function vocabulary(name: string, { folder, pad = "<|endoftext|>" }: TokenizerFolder): Promise<FolderFile[]> {
  const files: FolderFile[] = [];
  for (const path of await vocabularyFiles(folder)) {
    files.push({ name: `${name}/${basename(path)}`, content: await Deno.readFile(path) });
  }
  const settled = files.some((file) => file.name === `${name}/${TOKENIZER_CONFIG}`);
  return settled ? files : [...files, json(`${name}/${TOKENIZER_CONFIG}`, tokenizerConfigOf(pad))];
}
