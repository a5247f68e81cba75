"""CLIP's vocabulary as SDXL's tokenizers publish it: vocab.json and merges.txt.

Command: python data/clip/make.py PATH_TO/bpe_simple_vocab_16e6.txt.gz
The file is in open_clip_torch 3.3.0 on PyPI (MIT, from OpenAI's CLIP, MIT): open_clip/bpe_simple_vocab_16e6.txt.gz.
The order of the vocabulary is CLIP's own: 256 bytes, the same ending a word, the merges, two special tokens.
"""

import gzip
import json
import pathlib
import sys

MERGES = 49152 - 256 - 2  # CLIP uses the first of 262,144

printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
others = [byte for byte in range(256) if byte not in printable]
letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]

with gzip.open(sys.argv[1], "rt", encoding="utf-8") as file:
    merges = file.read().split("\n")[1 : MERGES + 1]
words = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge.split()) for merge in merges)]
words += ["<|startoftext|>", "<|endoftext|>"]
assert len(words) == 49408

folder = pathlib.Path(__file__).parent
vocabulary = {word: i for i, word in enumerate(words)}
(folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
(folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
