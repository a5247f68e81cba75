/** Opens a checkpoint, whatever its layout, and puts what was given beside it into its place. */

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type AutoencoderArchitecture,
  type ClipTextArchitecture,
  isTiny,
  type UnetArchitecture,
} from "./architecture.ts";
import type { Checkpoint, Contents, OnFault, Part, TokenizerFolder } from "./checkpoint.ts";
import { openFile } from "./file.ts";
import { kindOf } from "./files.ts";
import { openFolder } from "./folder.ts";

/** What stands in for parts of a checkpoint. */
export interface CheckpointOptions {
  /** A file or folder whose U-Net takes the place of the checkpoint's. */
  readonly unet?: string;
  /** The same for the VAE. */
  readonly vae?: string;
  /**
   * A folder with `tokenizer/` and `tokenizer_2/`, or with vocab.json and merges.txt for both. Default: the
   * checkpoint's own; for a single file, such folders beside it, else CLIP's vocabulary where it fits.
   */
  readonly tokenizer?: string;
}

/** CLIP's vocabulary, which comes with the kit, and the rows of an embedding that belongs to it. */
export const CLIP_FOLDER = fileURLToPath(new URL("../../data/clip", import.meta.url));
const CLIP_ROWS = 49_408;

/** SDXL's second tokenizer fills up with `!`, id 0; its first with the end-of-text token. */
const SECOND_PAD = "!";

/**
 * What a path holds.
 *
 * @param onFault told of a part that cannot be opened, which is then left out
 * @throws an error whose message is one sentence: what is wrong, what was looked for.
 */
export async function openContents(path: string, onFault?: OnFault): Promise<Contents> {
  switch (await kindOf(path)) {
    case "folder":
      return await openFolder(path, onFault);
    case "file":
      return await openFile(path, onFault);
    case "nothing":
      throw new Deno.errors.NotFound(`Cannot open ${path}: it does not exist.`);
  }
}

/** A checkpoint with everything that a picture needs. @throws an error whose message is one sentence */
export async function openCheckpoint(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const contents = await openContents(path);
  const unet = options.unet === undefined
    ? contents.unet
    : await replacement(options.unet, "unet", ({ unet }) => unet, contents.unet, unetStructure);
  const vae = options.vae === undefined
    ? contents.vae
    : await replacement(options.vae, "vae", ({ vae }) => vae, contents.vae, vaeStructure);
  const { textEncoder, textEncoder2 } = contents;
  if (!unet || !vae || !textEncoder || !textEncoder2) {
    const parts = { unet, vae, "first text encoder": textEncoder, "second text encoder": textEncoder2 };
    const missing = Object.entries(parts).flatMap(([name, part]) => part ? [] : [name]);
    throw new RangeError(
      `Cannot open ${path} as a whole model: it is a ${contents.layout} without ${missing.join(", ")}. ` +
        `Open the model that it belongs to, and give this file as its unet or vae.`,
    );
  }
  const [tokenizer, tokenizer2] = await tokenizersOf(contents, textEncoder, options.tokenizer);
  return { ...contents, unet, vae, textEncoder, textEncoder2, tokenizer, tokenizer2 };
}

/**
 * A network from another file. One of the same structure keeps its predecessor's config, which says what shapes
 * cannot: heads, groups, the scaling factor.
 */
async function replacement<A>(
  path: string,
  name: string,
  pick: (contents: Contents) => Part<A> | undefined,
  replaced: Part<A> | undefined,
  structureOf: (architecture: A) => unknown,
): Promise<Part<A>> {
  const contents = await openContents(path);
  const part = pick(contents);
  if (part === undefined) throw new RangeError(`Cannot take the ${name} from ${path}: it is a ${contents.layout}.`);
  if (part.told === "by config" || replaced === undefined) return part;
  const structure = (architecture: A) => JSON.stringify(structureOf(architecture));
  return structure(part.architecture) === structure(replaced.architecture)
    ? { ...part, architecture: replaced.architecture, told: replaced.told }
    : part;
}

/** An autoencoder for the latents of another one. @throws RangeError when it is none, or of other latents */
export async function openAutoencoder(
  path: string,
  { architecture: { latentChannels } }: Part<AutoencoderArchitecture>,
): Promise<Part<AutoencoderArchitecture>> {
  const { vae, layout } = await openContents(path);
  if (vae === undefined) throw new RangeError(`Cannot take an autoencoder from ${path}: it is a ${layout}.`);
  if (vae.architecture.latentChannels === latentChannels) return vae;
  throw new RangeError(
    `Cannot decode with ${path}: its latents have ${vae.architecture.latentChannels} channels, the model's ${latentChannels}.`,
  );
}

function unetStructure({ down, mid, up, crossAttentionDim, additionInputDim }: UnetArchitecture): unknown {
  const blocks = [...down, ...up].map(({ channels, transformers, resample }) => [channels, transformers, resample]);
  return [blocks, mid?.transformers, crossAttentionDim, additionInputDim];
}

function vaeStructure(vae: AutoencoderArchitecture): unknown {
  if (isTiny(vae)) return vae;
  const { latentChannels, blockOutChannels, layersPerBlock, midAttention } = vae;
  return [latentChannels, blockOutChannels, layersPerBlock, midAttention];
}

/** The two vocabularies of a checkpoint. @throws an error whose message is one sentence when one has to be named */
export async function tokenizersOf(
  { path, tokenizer, tokenizer2, layout }: Contents,
  { architecture: { vocabularySize } }: Part<ClipTextArchitecture>,
  given?: string,
): Promise<readonly [TokenizerFolder, TokenizerFolder]> {
  if (given !== undefined) {
    const found = await tokenizersIn(given);
    if (found) return found;
    throw new Deno.errors.NotFound(
      `Cannot find a tokenizer in ${given}: wanted are tokenizer/ and tokenizer_2/, or vocab.json and merges.txt.`,
    );
  }
  if (tokenizer && tokenizer2) return [tokenizer, tokenizer2];
  const beside = layout === "diffusers folder" ? undefined : await tokenizersIn(dirname(path));
  if (beside) return beside;
  if (vocabularySize === CLIP_ROWS) return [{ folder: CLIP_FOLDER }, { folder: CLIP_FOLDER, pad: SECOND_PAD }];
  throw new RangeError(
    `Cannot find the tokenizer of ${path}: its text encoder knows ${vocabularySize} tokens, CLIP's vocabulary has ` +
      `${CLIP_ROWS}. Put the folders tokenizer/ and tokenizer_2/ beside it, or name a folder that holds them (tokenizer).`,
  );
}

async function tokenizersIn(path: string): Promise<readonly [TokenizerFolder, TokenizerFolder] | undefined> {
  const folder = resolve(path);
  const [first, second] = [join(folder, "tokenizer"), join(folder, "tokenizer_2")];
  if (await kindOf(first) === "folder" && await kindOf(second) === "folder") {
    return [{ folder: first }, { folder: second }];
  }
  if (await kindOf(join(folder, "merges.txt")) === "file") return [{ folder }, { folder, pad: SECOND_PAD }];
  return undefined;
}
