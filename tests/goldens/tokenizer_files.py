"""Which of two files says what a tokenizer's special tokens are, where they disagree: asked of transformers.

Command: python tests/goldens/tokenizer_files.py     (written: data/goldens/tokenizer-files.json; run tokenizer.py first)
Each row is the small vocabulary with other words in tokenizer_config.json and special_tokens_map.json.
"""

import json
import shutil
import tempfile
from pathlib import Path

from common import GOLDENS, save_json
from transformers import CLIPTokenizer

FOLDER = GOLDENS / "tokenizers/tokenizer"
END = "<|endoftext|>"
TEXT = "a!b<|ENDOFTEXT|>c"


def token(content, normalized):
    return {"content": content, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}


def decoder(normalized):
    end = json.loads((FOLDER / "vocab.json").read_text(encoding="utf-8"))[END]
    return {"added_tokens_decoder": {str(end): {**token(END, normalized), "special": True}}}


# What it is about, the config's words, the map's words; None takes a word out, a map of None is no file at all.
CASES = [
    ("the map's padding wins", {"pad_token": END}, {"pad_token": "!"}),
    ("the map's padding wins, the other way round", {"pad_token": "!"}, {"pad_token": END}),
    ("the map fills what the config leaves out", {"pad_token": None}, {"pad_token": "!"}),
    ("the config fills what the map leaves out", {"pad_token": "!"}, {"pad_token": None}),
    ("without a map the config stands", {"pad_token": "!"}, None),
    ("a config that lists added tokens wins", {"pad_token": "!", **decoder(False)}, {"pad_token": END}),
    ("one that lists none does too", {"pad_token": "!", "added_tokens_decoder": {}}, {"pad_token": END}),
    ("the map is not asked then", {"pad_token": None, **decoder(False)}, {"pad_token": "!"}),
    ("what is looked for before normalisation is the map's to say", {}, {"eos_token": token(END, False), "unk_token": token(END, False), "pad_token": token(END, False)}),
    ("or the list's", {**decoder(False), "eos_token": END, "unk_token": END, "pad_token": "!"}, {}),
]


def changed(words, changes):
    return {key: value for key, value in {**words, **changes}.items() if value is not None}


def main():
    rows = []
    for what, config, names in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "tokenizer"
            shutil.copytree(FOLDER, folder)
            files = {"tokenizer_config.json": config, "special_tokens_map.json": names}
            for name, changes in files.items():
                path = folder / name
                if changes is None:
                    path.unlink()
                else:
                    files[name] = changed(json.loads(path.read_text(encoding="utf-8")), changes)
                    path.write_text(json.dumps(files[name]), encoding="utf-8")
            tokenizer = CLIPTokenizer.from_pretrained(folder)
            ids = tokenizer(TEXT, padding="max_length" if tokenizer.pad_token else False, max_length=12).input_ids
            rows.append({"what": what, "files": files, "ids": ids, "pad": tokenizer.pad_token_id})
            print(what, tokenizer.pad_token, ids)
    save_json("tokenizer-files.json", {"text": TEXT, "rows": rows})


if __name__ == "__main__":
    main()
