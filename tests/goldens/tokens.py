"""Token ids of hard texts, as transformers' CLIPTokenizer makes them.

Command: python tests/goldens/tokens.py        (written: data/goldens/tokens.json and tokenizer-json/; run tokenizer.py first)
"""

import json
import random

from common import GOLDENS, POCKET, save_json
from transformers import CLIPTokenizer

CLIP = "data/clip"  # vocabulary and merges alone, as a single-file checkpoint is run
FOLDERS = {
    "clip": CLIP,
    "clip_2": CLIP,
    "pocket": POCKET / "base/tokenizer",
    "pocket_2": POCKET / "base/tokenizer_2",
    "tiny": GOLDENS / "tokenizers/tokenizer",
    "tiny_2": GOLDENS / "tokenizers/tokenizer_2",
}

TEXTS = [
    "",
    " ",
    "wow!",
    "!!",
    "a ! b!c !!!",
    "a   cat\n\n\tsits\r\non  a mat ",
    "it's they'll we've I'm you'd can't he're 'S 'LL ''s !'s",
    "ΟΔΟΣ ΣΟΦΟΣ Σ ΑΣ. Σs",
    "İstanbul DİYARBAKIR ıI",
    "STRASSE ẞ ß ŒUVRE ǅ Ǆ K Å",
    "e\u0301 \u00e9 a\u0323\u0307 a\u0307\u0323 n\u0303o\u0308 \u1e9b\u0323",
    "क्षत्रिय ภาษาไทย 한국어 한국어 日本語のプロンプト",
    "العربية עִבְרִית",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☺️ 🇩🇪 1️⃣",
    "½ ² ٣ Ⅷ ⅷ 123 4.5e-6 1,000",
    "a<|endoftext|>b <|endoftext|> <|startoftext|>c<|ENDOFTEXT|>d <|EndOfText|>! <|endoftext|>s <|endoftext",
    "zero\u200bwidth soft\u00adhyphen no\u00a0break bom\ufeffin\ufeff \ufeff! next\u0085line ideo\u3000space vt\u000bff\u000c",
    "!\ufeff! \u180e \u2028line\u2029par \u202fnarrow \u205fmath",
    "ﬁ ﬀ ＦＵＬＬ ｗｉｄｔｈ ℌ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐐀𐐨 \U0001e900",
    "lone \u0000 nul \u0007 bell \u007f del",
    "(masterpiece:1.3), [dog|cat], {a|b} -- <lora:x:0.8> @#$%^&*_+=~`\\/",
    "..., ... — – “quoted” ‘single’ «x»",
    "a" * 300,
    "cat " * 74 + "dog",
    "cat " * 75 + "dog",
    "cat " * 76 + "dog " * 3,
    "!" * 80,
]


def fuzz(count):
    """Texts of random code points from the blocks where normalisation has exceptions."""
    draw = random.Random(20260)
    blocks = [(32, 126), (128, 591), (768, 879), (880, 1327), (1424, 1791), (7680, 8191), (8192, 8303), (8448, 8591)]
    blocks += [(9728, 9983), (12288, 12543), (44032, 44200), (64256, 64335), (65280, 65519), (127744, 128591)]
    for _ in range(count):
        blocks_here = draw.sample(blocks, 3)
        letters = [chr(draw.randint(*draw.choice(blocks_here))) for _ in range(draw.randint(1, 24))]
        yield "".join(letter if draw.random() < 0.8 else draw.choice([letter + " ", "  ", "'s", "!"]) for letter in letters)


def main():
    with open("data/prompts/article.json", encoding="utf-8") as file:
        texts = TEXTS + [row["prompt"] for row in json.load(file)] + list(fuzz(120))
    bare = {"clip": {"model_max_length": 77}, "clip_2": {"model_max_length": 77, "pad_token": "!"}}
    tokenizers = {name: CLIPTokenizer.from_pretrained(folder, **bare.get(name, {})) for name, folder in FOLDERS.items()}
    rows = []
    for text in texts:
        row = {"text": text, "ids": {}, "truncated": {}}
        for name, tokenizer in tokenizers.items():
            padded = tokenizer(text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True).input_ids
            whole = tokenizer(text).input_ids
            # As diffusers' encode_prompt warns: what follows position 76, without the EOS.
            cut = len(whole) > tokenizer.model_max_length
            row["truncated"][name] = tokenizer.decode(whole[tokenizer.model_max_length - 1 : -1]) if cut else ""
            end = len(padded)
            while end > 1 and padded[end - 2] == padded[-1]:
                end -= 1
            row["ids"][name] = padded[:end]  # the last one repeats up to 77
        rows.append(row)
    # As transformers 5 saves a tokenizer: in one file.
    CLIPTokenizer.from_pretrained(FOLDERS["pocket"]).save_pretrained(GOLDENS / "tokenizer-json")
    save_json("tokens.json", {"folders": {name: str(folder) for name, folder in FOLDERS.items()}, "rows": rows})


if __name__ == "__main__":
    main()
