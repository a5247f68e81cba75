"""A tokenizer of 700 tokens in the layout of SDXL's published folders, small enough to be committed.

Command: python tests/goldens/tokenizer.py     (written: data/goldens/tokenizers/{tokenizer,tokenizer_2})
Byte pairs are merged by frequency over the article's prompts, as Sennrich et al. 2016 (arXiv 1508.07909).
The second one pads with "!", which makes "!" a special token, as in SDXL.
"""

import json
import re
from collections import Counter

from common import GOLDENS

MERGES = 186
FOLDER = GOLDENS / "tokenizers"


def bytes_to_letters():
    """GPT-2's printable stand-ins, in the order of CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def learn(words):
    """The most frequent pair becomes one token, again and again; of equals, the first in the alphabet."""
    spelled = {word: (*word[:-1], word[-1] + "</w>") for word in words}
    for _ in range(MERGES):
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(spelled[word], spelled[word][1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        yield best
        for word, tokens in spelled.items():
            merged, i = [], 0
            while i < len(tokens):
                pair = tokens[i : i + 2] == best
                merged.append("".join(best) if pair else tokens[i])
                i += 2 if pair else 1
            spelled[word] = tuple(merged)


def main():
    with open("data/prompts/article.json", encoding="utf-8") as file:
        text = " ".join(row["prompt"] for row in json.load(file)).lower()
    letters = bytes_to_letters()
    words = Counter("".join(letters[byte] for byte in word.encode()) for word in re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]+", text))
    merges = list(learn(words))
    tokens = [*letters.values(), *(letter + "</w>" for letter in letters.values()), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}

    special = lambda content: dict(content=content, lstrip=False, normalized=True, rstrip=False, single_word=False)
    for name, pad in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        names = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
        config = {key: {"__type": "AddedToken", **special(value)} for key, value in names.items()}
        config |= {"pad_token": pad, "model_max_length": 77, "do_lower_case": True, "tokenizer_class": "CLIPTokenizer"}
        write = lambda file, value: (folder / file).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        write("vocab.json", vocab)
        write("tokenizer_config.json", config)
        write("special_tokens_map.json", {**{key: special(value) for key, value in names.items()}, "pad_token": pad})
        (folder / "merges.txt").write_text(
            "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
