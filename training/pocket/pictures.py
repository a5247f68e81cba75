"""The pictures of the models' README: 24 held-out prompts and the article's six, a row a model."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from . import base, config, family, sampling, stages, tokenizer, vae
from .data import captions, scenes
from .loop import generator

HELD_OUT = 24


def held_out_prompts(count: int) -> list[str]:
    seed = config.load().data.seed
    return [captions.captions(scenes.sample(seed, 5000 + index, split="held-out"), 1)[0] for index in range(count)]


def sheet(rows: list[tuple[str, Tensor]], prompts: list[str], path: Path) -> None:
    """Prompts above, models at the left."""
    side, left, top = 128, 104, 62
    canvas = Image.new("RGB", (left + side * len(prompts), top + side * len(rows)), "white")
    draw = ImageDraw.Draw(canvas)
    for column, prompt in enumerate(prompts):
        draw.multiline_text((left + column * side + 3, 2), "\n".join(textwrap.wrap(prompt, 23, max_lines=4, placeholder=" …")), fill="black", font_size=10)
    for row, (name, pictures) in enumerate(rows):
        draw.multiline_text((3, top + row * side + 4), "\n".join(textwrap.wrap(name, 17)), fill="black", font_size=11)
        if pictures.shape[-1] != side:
            pictures = F.interpolate(pictures, (side, side), mode="nearest")
        for column, picture in enumerate(pictures):
            tile = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).cpu().numpy())
            canvas.paste(tile, (left + column * side, top + row * side))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, quality=92, method=6)


def draw(device: str, target: Path) -> None:
    teacher, decoder = base.opened(device), vae.opened(device)
    article = [entry["prompt"] for entry in json.loads((config.REPOSITORY / "data" / "prompts" / "article.json").read_text())]
    for name, prompts, seed in (("article", article, 1), ("held-out", held_out_prompts(HELD_OUT), 2)):
        ids = tokenizer.ids(prompts, tokenizer.opened())[0].to(device)
        with torch.no_grad():
            told = teacher.told(ids)
        noise = torch.randn((len(prompts), 4, 16, 16), generator=generator(91, seed)).to(device)
        rows = [(f"{member.name}, {steps} step{'s' if steps > 1 else ''}", sampling.decode(decoder, member.sample(told, noise, steps)))
                for member in family.members(device, teacher) for steps in member.steps]
        sheet(rows, prompts, target / f"{name}.webp")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--to", type=Path, default=config.MODELS / "pictures")
    given = arguments.parse_args()
    draw(given.device, given.to)
    stages.finish("pictures")
