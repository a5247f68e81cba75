"""The models' README: what is there, how it was made, how good it is. All figures come from files that stages wrote."""

from __future__ import annotations

import argparse
import json
import os
import platform

from . import config, expected, export, metrics, stages
from .loop import wall_time

TEXT = """# The pocket family

Small SDXL models, trained and distilled from nothing by the recipe in [training/](../../training/README.md). They make
128×128 pictures of emoji-like things on drawn backgrounds (Turbo 64×64), by prompt and seed, and they are published in
the layouts of the models that they stand for. `training/run` makes all of them again.

{contents}

## How to run them

| Model | Sampler | Spacing | Prediction | Steps | Guidance |
|---|---|---|---|---|---|
| base, custom | Euler | leading | epsilon | 25 to 50 | {guidance:g} |
| Lightning, 8, 4 and 2 steps, U-Net or LoRA | Euler | trailing | epsilon | its own number | 0 |
| Lightning, 1 step | Euler | trailing | sample | 1 | 0 |
| Turbo | Euler ancestral | trailing | epsilon | 1 to 4, at 64×64 | 0 |
| LCM-LoRA | LCM | | epsilon | 2 to 8 | 0 |

## How good they are

{prompts} held-out captions (combinations that training never drew), the same noise for all. What the columns mean is
told at the top of [metrics.py](../../training/pocket/metrics.py).

{table}

## What was expected

{expected}

## What they cost

Wall time of each stage on {machine}, in minutes:

{times}

## Limits

They know about a hundred subjects, thirty backgrounds and a few hundred words, and nothing of photographs. Words outside of the
captions' vocabulary do nothing sensible. Counting beyond three, spelling and fine detail are beyond them.

Turbo is the weakest: one step gives patches of colour, and its discriminator hardly told made from real (hinge loss 1.95,
where a coin's is 2), so that score distillation did most of the work. The scorer was trained on the base's world alone,
so it rates the custom model's look low whatever that model draws.

## Origin and licence

The training pictures are composed from [Noto Color Emoji](https://github.com/googlefonts/noto-emoji) (SIL Open Font
License 1.1; no emoji bitmap is distributed here) and procedural drawings, the captions are written by
[captions.py](../../training/pocket/data/captions.py). The weights are under the kit's Apache-2.0 licence.

## Files

| File | Bytes | SHA-256 |
|---|---|---|
{files}
"""


def pictures() -> str:
    names = {"article": "the article's six prompts", "held-out": "24 held-out prompts"}
    return "\n\n".join(f"![{text}](pictures/{name}.webp)" for name, text in names.items()
                       if (config.MODELS / "pictures" / f"{name}.webp").exists())


def compose() -> str:
    rows = json.loads(metrics.RESULT.read_text()) if metrics.RESULT.exists() else []
    logs = sorted(path.stem for path in (config.WORK / "logs").glob("*.jsonl"))
    times = "| Stage | Minutes |\n|---|---|\n" + "\n".join(f"| {name} | {wall_time(name) / 60:.0f} |" for name in logs)
    files = "\n".join(f"| {name} | {entry['bytes']} | `{entry['sha256']}` |" for name, entry in export.hashes(config.MODELS).items())
    return TEXT.format(contents=pictures(), guidance=config.load().base.guidance, prompts=config.load().data.prompts,
                       table=metrics.table(rows) if rows else "Not measured yet.", times=times, files=files,
                       expected=expected.table(rows) if rows else "Not measured yet.",
                       machine=f"{os.cpu_count()} cores ({platform.machine()}), shared with other work")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu", help="makes no difference here")
    arguments.parse_args()
    (config.MODELS / "README.md").write_text(compose())
    stages.finish("card")
