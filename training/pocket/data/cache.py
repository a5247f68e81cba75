"""Shards of rendered pictures and their captions, and of their latents: what the trainings read."""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from .. import tokenizer
from ..config import WORK, load
from ..loop import Log, autocast
from . import rendering
from .backgrounds import SIDE

FOLDER = WORK / "data"


def render_shard(name: str, start: int, length: int, seed: int, count: int, split: str = "train", look: str = "plain") -> None:
    """Writes `name.pictures.npy` (uint8 `[length, 128, 128, 3]`) and `name.captions.json`."""
    pictures, texts = FOLDER / f"{name}.pictures.npy", FOLDER / f"{name}.captions.json"
    if texts.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    out = np.lib.format.open_memmap(pictures, "w+", np.uint8, (length, SIDE, SIDE, 3))
    told: list[list[str]] = []
    pieces = [range(at, min(at + 128, start + length)) for at in range(start, start + length, 128)]
    # Spawned, not forked: a fork of a process in which torch's threads have run may hang.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        for piece, (drawn, words) in zip(pieces, pool.map(partial(rendering.render, seed=seed, count=count, split=split, look=look), pieces)):
            out[piece.start - start:piece.stop - start] = drawn
            told += words
    out.flush()
    texts.write_text(json.dumps(told, ensure_ascii=False))


def shard_name(index: int) -> str:
    return f"train-{index:03}"


def pictures(name: str) -> np.ndarray:
    return np.load(FOLDER / f"{name}.pictures.npy", mmap_mode="r")


def texts(name: str) -> list[list[str]]:
    return json.loads((FOLDER / f"{name}.captions.json").read_text())


def to_tensor(batch: np.ndarray) -> torch.Tensor:
    """uint8 `[n, h, w, 3]` to −1..1 `[n, 3, h, w]`, in channels_last memory."""
    return torch.from_numpy(np.array(batch)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def latents_path(name: str) -> Path:
    return FOLDER / f"{name}.latents.npy"


def encode(name: str, model, device: str, batch: int = 64) -> None:
    """Writes `name.latents.npy`: the posterior's means before scaling, float16 `[length, 4, 16, 16]`."""
    if latents_path(name).exists():
        return
    source, found = pictures(name), []
    for at in range(0, len(source), batch):
        with torch.no_grad(), autocast(device):
            x = to_tensor(source[at:at + batch]).to(device, memory_format=torch.channels_last)
            found.append(model.encode(x).latent_dist.mean.half().cpu())
    partial_path = latents_path(name).with_suffix(".incomplete.npy")
    np.save(partial_path, torch.cat(found).contiguous().numpy())
    os.replace(partial_path, latents_path(name))


def token_ids(name: str) -> np.ndarray:
    """Ids of every caption for the first encoder, uint16 `[length, captions, 77]`."""
    path = FOLDER / f"{name}.ids.npy"
    if not path.exists():
        told = texts(name)
        flat = tokenizer.ids([caption for captions_ in told for caption in captions_], tokenizer.opened())[0]
        np.save(path, flat.numpy().astype(np.uint16).reshape(len(told), -1, tokenizer.LENGTH))
    return np.load(path)


class Latents:
    """All encoded shards in memory: scaled latents and the ids of their captions."""

    def __init__(self, kind: str = "train") -> None:
        self.names = sorted(path.name.removesuffix(".latents.npy") for path in FOLDER.glob(f"{kind}-*.latents.npy"))
        if not self.names:
            raise FileNotFoundError("Cannot train without latents: run the stage `cache` first")
        scale = scaling_factor()
        self.latents = torch.cat([torch.from_numpy(np.load(latents_path(name))) for name in self.names]).mul_(scale)
        self.ids = torch.from_numpy(np.concatenate([token_ids(name) for name in self.names]).astype(np.int32))

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, count: int, g: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """`count` latents, float32, and for each the ids of one of its captions, `[count, 77]`."""
        chosen = torch.randint(len(self), (count,), generator=g)
        telling = torch.randint(self.ids.shape[1], (count,), generator=g)
        return self.latents[chosen].float(), self.ids[chosen, telling].long()


def scaling_factor() -> float:
    """What brings the first shard's latents to unit variance, as SDXL's 0.13025 does."""
    latents = np.load(latents_path(shard_name(0))).astype(np.float32)
    return float(f"{1 / latents.std():.4g}")


def build(device: str) -> None:
    from .. import vae
    settings = load().data
    model = vae.opened(device)
    log = Log("cache")
    for index in range(settings.shards):
        name = shard_name(index)
        if latents_path(name).exists():
            continue
        render_shard(name, index * settings.shard, settings.shard, settings.seed, settings.captions)
        encode(name, model, device)
        log.write(shard=name, scaling_factor=scaling_factor())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    build(arguments.parse_args().device)
