/**
 * Prompts become token ids, as CLIP's tokenizer in transformers makes them.
 *
 * The merging of byte pairs is `@huggingface/tokenizers`'; what happens to a text before that is written out here,
 * because that library's normalisation follows JavaScript where transformers follows Unicode's tables:
 * - JavaScript's `toLowerCase` turns a word's last Σ into ς; transformers lower-cases each code point for itself.
 * - JavaScript's `\s` holds U+FEFF and not U+0085; Unicode's White_Space is the other way round.
 * Other ids are the consequence in both cases. Reference: transformers 5.23, `models/clip/tokenization_clip.py`.
 */

import type { TokenizerFolder } from "../weights/checkpoint.ts";
import { readVocabulary, type SpecialToken, type Vocabulary, type Words } from "./vocabulary.ts";

/** A prompt as a text encoder takes it. */
export interface Tokens {
  /** `[length]`: BOS, the text, EOS, then padding. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** The end of the text for which there was no room, as the tokenizer spells it; empty where all of it fitted. */
  readonly truncated: string;
}

/** A word of a prompt and the tokens that it became. */
export interface Word {
  /** As the tokenizer spells it: lower case. */
  readonly text: string;
  /** Where its tokens stand in the 77, BOS being 0; consecutive. */
  readonly positions: readonly number[];
}

export interface Tokenizer {
  /** Tokens of every prompt, BOS and EOS included: 77 for CLIP, whose position table ends there. */
  readonly length: number;
  readonly bos: number;
  readonly eos: number;
  /** What fills up the rest. SDXL's first tokenizer pads with EOS, its second with `!`, id 0. */
  readonly pad: number;
  /** A text of any length, empty too. */
  encode(text: string): Tokens;
  /** The words of a text that has room, in order, BOS, EOS and padding left out. */
  words(text: string): readonly Word[];
}

/**
 * Opens a tokenizer folder of a diffusers checkpoint: `vocab.json` and `merges.txt`, or `tokenizer.json` as
 * transformers 5 saves it; `tokenizer_config.json` and `special_tokens_map.json` where present.
 * @throws Error with one sentence when a file is missing, unreadable or not what its name says
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  return clipTokenizer(await readVocabulary(folder, new Map()));
}

/** Opens several, and reads words that they share once: SDXL's two differ only in how they pad. @throws Error as above */
export async function openTokenizers(folders: readonly TokenizerFolder[]): Promise<Tokenizer[]> {
  const known = new Map<string, Words>();
  const tokenizers: Tokenizer[] = [];
  for (const { folder, pad } of folders) tokenizers.push(clipTokenizer(await readVocabulary(folder, known, pad)));
  return tokenizers;
}

/**
 * Where a text encoder takes its pooled output from. SDXL's published configs say `eos_token_id` 2, which stands for
 * "the highest id", EOS in CLIP's vocabulary; any other number is looked for. Both take the first of equals.
 */
export function poolingPosition(ids: Int32Array, eosTokenId: number): number {
  const position = eosTokenId === LEGACY_EOS
    ? ids.indexOf(ids.reduce((a, b) => Math.max(a, b)))
    : ids.indexOf(eosTokenId);
  return Math.max(position, 0); // transformers' argmax over no match is 0
}

const LEGACY_EOS = 2; // transformers' CLIPTextTransformer: configs written before its pull request 24773

function clipTokenizer(vocabulary: Vocabulary): Tokenizer {
  const { specials, bos, eos, pad, length } = vocabulary;
  const raw = splitter(specials.filter(({ normalized }) => !normalized));
  const normalised = splitter(specials.filter(({ normalized }) => normalized), normalise);

  const idsOf = (text: string): number[] =>
    raw(text).flatMap((part) =>
      typeof part === "number"
        ? part
        : normalised(normalise(part)).flatMap((part) => typeof part === "number" ? part : idsOfWords(part, vocabulary))
    );

  return {
    length,
    bos,
    eos,
    pad,
    encode(text) {
      const room = length - 2;
      const words = idsOf(text);
      const ids = new Int32Array(length).fill(pad);
      const kept = words.slice(0, room);
      ids.set([bos, ...kept, eos]);
      return { ids, truncated: spell(words.slice(room), vocabulary) };
    },
    words: (text) => wordsOf(idsOf(text).slice(0, length - 2), vocabulary),
  };
}

/** Unicode's canonical composition, one space for many, lower case: in this order. */
function normalise(text: string): string {
  return text.normalize("NFC").replace(/\p{White_Space}+/gu, " ").replaceAll("Σ", "σ").toLowerCase();
}

/** A special token's id wherever it stands in a text, and the text between. The longest of two that fit wins. */
function splitter(
  specials: readonly SpecialToken[],
  spelling: (text: string) => string = (text) => text,
): (text: string) => (string | number)[] {
  if (specials.length === 0) return (text) => [text];
  const ids = new Map(specials.map(({ content, id }) => [spelling(content), id]));
  const longestFirst = [...ids.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(${longestFirst.map((content) => RegExp.escape(content)).join("|")})`, "u");
  return (text) => text.split(pattern).filter((part) => part !== "").map((part) => ids.get(part) ?? part);
}

/** CLIP's words: contractions, runs of letters, single digits, runs of anything else but white space. */
const WORDS = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

/** The byte level's own words, GPT-2's. After CLIP's they only take apart the two bracketed names above. */
const BYTE_LEVEL_WORDS = /\p{L}+|\p{N}+|[^\p{White_Space}\p{L}\p{N}]+/gu;

function idsOfWords(text: string, { bpe, unknown }: Vocabulary): number[] {
  const words = text.match(WORDS) ?? [];
  const pieces = words.flatMap((word) => word.startsWith("<|") ? word.match(BYTE_LEVEL_WORDS) ?? [] : [word]);
  return bpe.encode(pieces.map(spellBytes)).map((token) => bpe.tokens_to_ids.get(token) ?? unknown);
}

/** GPT-2's printable stand-in for each byte: itself where it prints, else the next code point from 256 on. */
const BYTES: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCharCode(prints ? byte : next++);
  });
})();
const BYTE_OF = new Map(BYTES.map((character, byte) => [character, byte]));

const utf8 = new TextEncoder();

function spellBytes(word: string): string {
  return Array.from(utf8.encode(word), (byte) => BYTES[byte]).join("");
}

/** Tokens joined to words: `</w>` ends one, and a special token stands for itself. */
function wordsOf(ids: readonly number[], vocabulary: Vocabulary): Word[] {
  const specials = new Map(vocabulary.specials.map(({ id, content }) => [id, content]));
  const endings = new Set(Object.entries(vocabulary.vocab).flatMap(([token, id]) => token.endsWith("</w>") ? id : []));
  const words: Word[] = [];
  let from = 0;
  ids.forEach((id, index) => {
    if (!endings.has(id) && !specials.has(id) && index < ids.length - 1) return;
    const pieces = ids.slice(from, index + 1);
    const text = specials.get(id) ?? spell(pieces, vocabulary);
    words.push({ text, positions: pieces.map((_, piece) => 1 + from + piece) });
    from = index + 1;
  });
  return words;
}

/** The text of some ids: `</w>` ends a word. */
function spell(ids: readonly number[], { vocab }: Vocabulary): string {
  if (ids.length === 0) return "";
  const tokens = new Map(Object.entries(vocab).map(([token, id]) => [id, token]));
  const spelled = ids.map((id) => tokens.get(id) ?? "").join("").replaceAll("</w>", " ");
  const bytes = Uint8Array.from(spelled, (character) => BYTE_OF.get(character) ?? 32);
  return new TextDecoder().decode(bytes).trim();
}
