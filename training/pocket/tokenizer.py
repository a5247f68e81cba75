"""A small byte-pair vocabulary in CLIP's own files (Sennrich et al. 2016; Radford et al. 2021).

The order of ids is CLIP's: 256 bytes, the same bytes at a word's end, the merges, begin and end of text. So "!" is
id 0, and as in SDXL the first tokenizer pads with the end of text, the second with "!".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from . import config, stages
from .data import captions, scenes

FOLDER = config.WORK / "tokenizer"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts text into words."""
MORE = ("food photography, cheesecake, blueberries and jam, cinnamon, in a luxurious Michelin kitchen style, natural features, "
        "close up, woman, headdress, neon iridescent tattoos, beautiful nails with manicure, painting, gold splashes, "
        "low quality, blurry, deformed, text, watermark, person, photo, illustration, cartoon, the with without over under")
"""Words that captions seldom or never hold, but prompts do."""


def learn_merges(texts: list[str], vocabulary: int) -> list[tuple[str, str]]:
    alphabet = list(bytes_to_unicode().values())
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    trainer = trainers.BpeTrainer(vocab_size=vocabulary - 258, initial_alphabet=alphabet, end_of_word_suffix="</w>",
                                  min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def write(folder: Path, merges: list[tuple[str, str]], pad: str) -> None:
    """The four files of a published CLIP tokenizer."""
    alphabet = list(bytes_to_unicode().values())
    tokens = [*alphabet, *(byte + "</w>" for byte in alphabet), *("".join(merge) for merge in merges), BEGIN, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(merge) for merge in merges) + "\n")

    def special(content: str) -> dict:
        return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    tokens_map = {"bos_token": special(BEGIN), "eos_token": special(END), "pad_token": pad, "unk_token": special(END)}
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens_map, indent=2) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "add_prefix_space": False, "bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": pad,
        "do_lower_case": True, "errors": "replace", "model_max_length": LENGTH, "tokenizer_class": "CLIPTokenizer",
    }, indent=2) + "\n")


def build(scenes_seen: int = 20_000) -> None:
    settings = config.load()
    texts = [caption for index in range(scenes_seen) for caption in captions.captions(scenes.sample(settings.data.seed, index), 4)]
    merges = learn_merges([*texts, MORE, MORE], settings.tokenizer.vocabulary)
    write(FOLDER / "tokenizer", merges, END)
    write(FOLDER / "tokenizer_2", merges, "!")


def opened() -> tuple[CLIPTokenizer, CLIPTokenizer]:
    return tuple(CLIPTokenizer.from_pretrained(FOLDER / name, local_files_only=True) for name in ("tokenizer", "tokenizer_2"))


def ids(texts: list[str], tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]):
    """Ids of both encoders, `[2, batch, 77]`."""
    import torch
    return torch.stack([t(texts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids
                        for t in tokenizers])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu", help="makes no difference here")
    arguments.parse_args()
    build()
    stages.finish("tokenizer")
