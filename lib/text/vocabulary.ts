/** A tokenizer's files, read and checked: what CLIP's tokenizer needs of them, and nothing else. */

import { BPE } from "@huggingface/tokenizers";
import { join } from "node:path";
import * as v from "valibot";
import { issueClause, jsonOf } from "../weights/config.ts";
import { kindOf, MAX_TEXT_BYTES, readBytes } from "../weights/files.ts";
import { shown } from "../weights/said.ts";

export interface SpecialToken {
  readonly content: string;
  readonly id: number;
  /** Whether it is looked for after normalisation: then `<|ENDOFTEXT|>` is one too. */
  readonly normalized: boolean;
}

export interface Vocabulary {
  readonly bpe: BPE;
  readonly vocab: Readonly<Record<string, number>>;
  readonly specials: readonly SpecialToken[];
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  /** What stands for bytes that the vocabulary lacks; CLIP's own lacks none. */
  readonly unknown: number;
  readonly length: number;
}

/** CLIP's tokens of a prompt: the rows of its position table. */
const CLIP_LENGTH = 77;

/** Token ids are int32 in the network; a vocabulary is an embedding table in memory. */
const MAX_ID = 2 ** 24;

/** No vocabulary holds it: the id that stands for unknown bytes is set by each tokenizer's own names. */
export const UNKNOWN = "";

const Token = v.union([v.string(), v.object({ content: v.string(), normalized: v.optional(v.boolean(), false) })]);
const Names = v.object({
  bos_token: v.nullish(Token),
  eos_token: v.nullish(Token),
  unk_token: v.nullish(Token),
  pad_token: v.nullish(Token),
});
const AddedToken = v.object({ content: v.string(), normalized: v.optional(v.boolean(), false) });
const Config = v.object({
  ...Names.entries,
  model_max_length: v.nullish(v.number()),
  added_tokens_decoder: v.nullish(v.record(v.string(), AddedToken)),
});
const Merge = v.union([v.string(), v.tuple([v.string(), v.string()])]);
const TokenizerJson = v.object({
  model: v.object({ vocab: v.unknown(), merges: v.array(Merge) }),
  added_tokens: v.optional(v.array(v.object({ ...AddedToken.entries, id: v.number() })), []),
});

/**
 * @param known words read before, by the text of their files: folders that hold the same ones share them
 * @param padToken what fills up short prompts where the folder does not say; default the end-of-text token
 * @throws Error as `openTokenizer`
 */
export async function readVocabulary(
  folder: string,
  known: Map<string, Words>,
  padToken?: string,
): Promise<Vocabulary> {
  const [words, config, names] = await Promise.all([
    readWords(folder, known),
    readJson(`${folder}/tokenizer_config.json`, Config),
    readJson(`${folder}/special_tokens_map.json`, Names),
  ]);
  const { bpe, vocab } = words;

  const named = config?.added_tokens_decoder ? config : { ...config, ...present(names ?? {}) };
  const name = (token: v.InferOutput<typeof Token> | null | undefined, fallback: string) =>
    typeof token === "object" && token !== null ? token : { content: token ?? fallback, normalized: false };
  const bos = name(named.bos_token, "<|startoftext|>");
  const eos = name(named.eos_token, "<|endoftext|>");
  const unknown = name(named.unk_token, eos.content);
  const pad = name(named.pad_token, padToken ?? eos.content);

  const idOf = (content: string): number => {
    const id = bpe.tokens_to_ids.get(content);
    if (id === undefined) {
      throw new Error(
        `Cannot open tokenizer ${folder}: its special token ${shown(content)} is not in the vocabulary. ` +
          `Take all of the tokenizer's files from the same checkpoint.`,
      );
    }
    return id;
  };
  // Later entries replace earlier ones of the same text, as in transformers: the config's list has the last word.
  const added = [...words.added, bos, eos, unknown, pad, ...Object.values(config?.added_tokens_decoder ?? {})];
  const specials = new Map(
    added.map(({ content, normalized }) => [content, { content, id: idOf(content), normalized }]),
  );

  return {
    bpe,
    vocab,
    specials: [...specials.values()],
    bos: idOf(bos.content),
    eos: idOf(eos.content),
    pad: idOf(pad.content),
    unknown: idOf(unknown.content),
    length: lengthOf(folder, config?.model_max_length),
  };
}

/** transformers asks the map first, where there is one, unless the config lists added tokens: then not at all. */
function present(names: v.InferOutput<typeof Names>): v.InferOutput<typeof Names> {
  return Object.fromEntries(Object.entries(names).filter(([, token]) => token !== null && token !== undefined));
}

const FILES = ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];

/** The paths of the files that a tokenizer folder has, of those that say what its tokens are. */
export async function vocabularyFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of FILES.map((name) => join(folder, name))) if (await kindOf(path) === "file") found.push(path);
  return found;
}

/** What tokens are spelled from, and how they merge. */
export interface Words {
  readonly bpe: BPE;
  readonly vocab: Readonly<Record<string, number>>;
  readonly added: readonly { readonly content: string; readonly normalized: boolean }[];
}

async function readWords(folder: string, known: Map<string, Words>): Promise<Words> {
  const [vocab, merges] = await Promise.all([readText(`${folder}/vocab.json`), readText(`${folder}/merges.txt`)]);
  if (vocab !== undefined && merges !== undefined) {
    const key = `${vocab}\n${merges}`;
    const words = known.get(key) ?? wordsOfPair(folder, vocab, merges);
    known.set(key, words);
    return words;
  }
  const path = `${folder}/tokenizer.json`;
  const json = await readJson(path, TokenizerJson);
  if (json === undefined) {
    const missing = vocab === undefined ? "vocab.json" : "merges.txt";
    throw new Error(
      `Cannot open tokenizer ${folder}: there is no ${missing}. Wanted: vocab.json and merges.txt, or tokenizer.json.`,
    );
  }
  const ranks = new Map(
    json.model.merges.map((merge, i) => [wantPair(path, Array.isArray(merge) ? merge.join(" ") : merge, i + 1), i]),
  );
  return wordsOf(vocabOf(path, json.model.vocab), ranks, json.added_tokens);
}

function wordsOfPair(folder: string, vocab: string, merges: string): Words {
  const path = `${folder}/vocab.json`;
  return wordsOf(vocabOf(path, jsonOf(path, vocab)), rankedLines(folder, merges), []);
}

/** The library's tables by way of a function: its own take a tenth of a second to build of CLIP's 49,408 words. */
class Lookup extends Map<string, number> {
  constructor(private readonly find: (key: string) => number | undefined) {
    super();
  }

  override get(key: string): number | undefined {
    return this.find(key);
  }

  override has(key: string): boolean {
    return this.find(key) !== undefined;
  }
}

/** @param ranks of merges, by the two tokens with a space between, as merges.txt writes them */
function wordsOf(vocab: Words["vocab"], ranks: ReadonlyMap<string, number>, added: Words["added"]): Words {
  const bpe = new BPE({
    type: "BPE",
    vocab: {},
    merges: [],
    unk_token: UNKNOWN,
    end_of_word_suffix: "</w>",
    ignore_merges: false,
  });
  bpe.tokens_to_ids = new Lookup((token) => Object.hasOwn(vocab, token) ? vocab[token] : undefined);
  bpe.bpe_ranks = new Lookup((pair) => ranks.get(JSON.parse(pair).join(" "))); // the library's key is JSON of the two
  return { bpe, vocab, added };
}

/** By hand, not by a schema: 49,408 entries are read at every start. */
function vocabOf(path: string, json: unknown): Readonly<Record<string, number>> {
  if (!isRecord(json)) throw new Error(`Cannot read ${path}: wanted an object of token to id.`);
  if (!areIds(json)) {
    const [token, id] = Object.entries(json).find(([, id]) => !isId(id)) ?? [];
    throw new Error(
      `Cannot read ${path}: the id of ${shown(token)} is ${shown(id)}. ` +
        `Wanted: a whole number from 0 to ${MAX_ID}.`,
    );
  }
  return json;
}

function areIds(json: Record<string, unknown>): json is Record<string, number> {
  for (const token in json) if (!isId(json[token])) return false;
  return true;
}

function isId(id: unknown): id is number {
  return typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= MAX_ID;
}

function isRecord(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function rankedLines(folder: string, text: string): Map<string, number> {
  const path = `${folder}/merges.txt`;
  const lines = text.split("\n");
  const ranks = new Map<string, number>();
  for (let i = lines[0].startsWith("#version") ? 1 : 0; i < lines.length; i++) {
    const line = lines[i].endsWith("\r") ? lines[i].slice(0, -1) : lines[i];
    if (line !== "") ranks.set(wantPair(path, line, i + 1), i);
  }
  return ranks;
}

function wantPair(path: string, line: string, number: number): string {
  const space = line.indexOf(" ");
  if (space > 0 && space < line.length - 1 && line.indexOf(" ", space + 1) === -1) return line;
  throw new Error(
    `Cannot read ${path}: merge ${number} is ${shown(line, 40)}. ` +
      `Wanted: two tokens with one space between.`,
  );
}

/** transformers writes a number near 10³⁰ where no limit was set. */
function lengthOf(folder: string, modelMaxLength: number | null | undefined): number {
  if (modelMaxLength === null || modelMaxLength === undefined || modelMaxLength > 1e9) return CLIP_LENGTH;
  if (Number.isInteger(modelMaxLength) && modelMaxLength >= 2 && modelMaxLength <= 65536) return modelMaxLength;
  throw new Error(
    `Cannot open tokenizer ${folder}: its model_max_length is ${modelMaxLength}. Wanted: a whole number from 2 to 65536.`,
  );
}

async function readJson<T>(path: string, schema: v.GenericSchema<unknown, T>): Promise<T | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  const parsed = v.safeParse(schema, jsonOf(path, text));
  if (parsed.success) return parsed.output;
  throw new Error(`Cannot read ${path}: ${issueClause(parsed.issues[0])}.`);
}

/** Undefined where there is no such file. */
async function readText(path: string): Promise<string | undefined> {
  if (await kindOf(path) === "nothing") return undefined;
  const bytes = await readBytes(path, MAX_TEXT_BYTES);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`Cannot read ${path}: it is not UTF-8 text. Is the download complete?`);
  }
}
