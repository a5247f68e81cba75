import { openTokenizer, openTokenizers, poolingPosition } from "../../lib/text/tokenizer.ts";
import { equal, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath, readJson } from "../goldens/read.ts";

interface Row {
  readonly text: string;
  readonly ids: Readonly<Record<string, number[]>>;
  readonly truncated: Readonly<Record<string, string>>;
}
const { folders, rows } = readJson<{ folders: Record<string, string>; rows: Row[] }>("tokens.json");
const root = new URL("../../", import.meta.url);
const TINY = goldenPath("tokenizers/tokenizer");
const TINY_2 = goldenPath("tokenizers/tokenizer_2");

for (const [name, folder] of Object.entries(folders)) {
  Deno.test(`the tokenizer "${name}" gives transformers' ids and cuts what diffusers cuts`, async () => {
    const pad = name === "clip_2" ? "!" : undefined;
    const [tokenizer] = await openTokenizers([{ folder: new URL(folder, root).pathname, pad }]);
    for (const { text, ids, truncated } of rows) {
      const tokens = tokenizer.encode(text);
      const expected = ids[name];
      const padded = [...expected, ...Array(77 - expected.length).fill(expected.at(-1))];
      equal([...tokens.ids], padded, `ids of ${JSON.stringify(text)}`);
      equal(tokens.truncated, truncated[name], `truncated of ${JSON.stringify(text)}`);
    }
  });
}

Deno.test("the second tokenizer pads with an exclamation mark, which is then a special token", async () => {
  const [first, second] = await openTokenizers([{ folder: TINY }, { folder: TINY_2 }]);
  equal(second.pad, 0);
  equal(first.pad, first.eos);
  equal([...second.encode("!!").ids.subarray(0, 5)], [second.bos, 0, 0, second.eos, 0]);
});

Deno.test("a prompt of 75 tokens fits; the 76th is cut and named", async () => {
  const tokenizer = await openTokenizer(TINY_2);
  equal(tokenizer.encode("!".repeat(75)).truncated, "");
  equal(tokenizer.encode("!".repeat(76)).truncated, "!");
});

Deno.test("a lone surrogate, which no UTF-8 text can hold, becomes the replacement character", async () => {
  const tokenizer = await openTokenizer(TINY);
  equal(tokenizer.encode("a\ud800").ids, tokenizer.encode("a\ufffd").ids);
});

Deno.test("pooling: eos_token_id 2 means the highest id, any other its own first place", () => {
  equal(poolingPosition(Int32Array.of(8, 3, 9, 9, 4), 2), 2);
  equal(poolingPosition(Int32Array.of(8, 3, 9, 4, 4), 4), 3);
});

interface Files {
  readonly what: string;
  readonly files: Readonly<Record<string, unknown>>;
  readonly ids: number[];
  readonly pad: number;
}
const { text: asked, rows: disagreeing } = readJson<{ text: string; rows: Files[] }>("tokenizer-files.json");

for (const { what, files, ids, pad } of disagreeing) {
  Deno.test(`tokenizer_config.json and special_tokens_map.json as transformers reads them: ${what}`, () =>
    inFolder(async (folder) => {
      for (const name of ["vocab.json", "merges.txt"]) await Deno.copyFile(`${TINY}/${name}`, `${folder}/${name}`);
      for (const [name, content] of Object.entries(files)) {
        if (content !== null) await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(content));
      }
      const tokenizer = await openTokenizer(folder);
      equal([...tokenizer.encode(asked).ids.subarray(0, ids.length)], ids);
      equal(tokenizer.pad, pad);
    }));
}

const files = { "vocab.json": '{"a":0,"<|startoftext|>":1,"<|endoftext|>":2}', "merges.txt": "#version: 0.2\n" };
const broken: [what: string, files: Record<string, string>, sentence: RegExp][] = [
  ["an empty folder", {}, /there is no vocab\.json\. Wanted: vocab\.json and merges\.txt, or tokenizer\.json/],
  ["no merges", { "vocab.json": "{}" }, /there is no merges\.txt/],
  ["a vocabulary cut short", { ...files, "vocab.json": '{"a":0,' }, /vocab\.json: it is not JSON\. Is the download/],
  ["a list for a vocabulary", { ...files, "vocab.json": "[]" }, /vocab\.json: wanted an object of token to id/],
  ["an id below 0", { ...files, "vocab.json": '{"a":-1}' }, /the id of "a" is -1\. Wanted: a whole number/],
  ["a merge of three", { ...files, "merges.txt": "a b c" }, /merges\.txt: merge 1 is "a b c"\. Wanted: two tokens/],
  ["no BOS", { ...files, "vocab.json": '{"<|endoftext|>":0}' }, /special token "<\|startoftext\|>" is not in the voc/],
  ["a length of 1", { ...files, "tokenizer_config.json": '{"model_max_length":1}' }, /model_max_length is 1\. Wanted/],
  [
    "a number for a token",
    { ...files, "special_tokens_map.json": '{"pad_token":7}' },
    /special_tokens_map\.json: "pad_token" is 7/,
  ],
  ["bytes that are no text", { ...files, "merges.txt": "\xff" }, /merges\.txt: it is not UTF-8 text/],
];

for (const [what, contents, sentence] of broken) {
  Deno.test(`a tokenizer folder with ${what} is refused in one sentence`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const [file, text] of Object.entries(contents)) {
        await Deno.writeFile(`${folder}/${file}`, Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
      }
      await throwsSentence(() => openTokenizer(folder), sentence);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("a folder of transformers 5, which holds tokenizer.json alone, gives the same ids", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const pocket = new URL("models/pocket/base/tokenizer/", root);
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      await Deno.copyFile(new URL(`data/goldens/tokenizer-json/${file}`, root), `${folder}/${file}`);
    }
    const [whole, json] = await Promise.all([openTokenizer(pocket.pathname), openTokenizer(folder)]);
    for (const { text } of rows) equal(json.encode(text), whole.encode(text));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
