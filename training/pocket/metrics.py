"""How good the family is, on captions that training never saw, from the same noise for all models.

For every model and number of steps, over `metrics.prompts` held-out captions:

- retrieval: how often the pocket CLIP picks a picture's own caption among 100;
- score: the mean cosine of picture and caption in that CLIP, times 100;
- Fréchet distance of the CLIP's image features to those of real held-out compositions (Heusel et al. 2017);
- to the teacher: the mean squared difference of latents to the base at 50 steps, or to the custom model at 50;
- diversity: one minus the mean cosine of image features between seeds of one caption. LCM's and Turbo's noise between
  steps is the same for all seeds here, so only the first noise counts for them.
"""

from __future__ import annotations

import argparse
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from scipy import linalg
from torch import Tensor

from . import base, clip_scorer, config, family, sampling, stages, tokenizer, vae
from .data import cache
from .loop import generator
from .text import Conditioning

RESULT = config.WORK / "metrics.json"
NAME = "held-out-000"


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """|μ₁−μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½)"""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(first @ second)
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * root.real))


def retrieval(images: Tensor, words: Tensor, among: int = 100) -> float:
    """The share of pictures whose own caption is the nearest of `among`; captions are taken in blocks."""
    right = 0
    for at in range(0, len(images), among):
        block = images[at:at + among] @ words[at:at + among].T
        right += int((block.argmax(1) == torch.arange(len(block))).sum())
    return right / len(images)


class Bench:
    def __init__(self, device: str, prompts: int):
        settings = config.load()
        # Real pictures of the same captions are the reference of the Fréchet distance and of the scores.
        cache.render_shard(NAME, 0, settings.data.held_out, settings.data.seed, 1, split="held-out")
        self.device = device
        self.captions = [told[0] for told in cache.texts(NAME)][:prompts]
        self.ids = tokenizer.ids(self.captions, tokenizer.opened())[0]
        self.clip, self.vae = clip_scorer.opened(device), vae.opened(device)
        self.teacher = base.opened(device)
        self.members = family.members(device, self.teacher)
        real = torch.from_numpy(np.array(cache.pictures(NAME))).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            self.words = clip_scorer.text_embeds(self.clip, self.ids.to(device)).cpu()
            self.real = torch.cat([clip_scorer.image_embeds(self.clip, part.to(device)).cpu() for part in real.split(100)])
            told = [self.teacher.told(part.to(device)) for part in self.ids.split(100)]
        self.told = Conditioning(torch.cat([t.states for t in told]), torch.cat([t.pooled for t in told]))

    def latents(self, member: family.Member, steps: int, seed: int, count: int | None = None) -> Tensor:
        noise = torch.randn((len(self.captions), 4, 16, 16), generator=generator(90, seed))[:count].to(self.device)
        pieces = [slice(at, min(at + 50, len(noise))) for at in range(0, len(noise), 50)]
        return torch.cat([member.sample(Conditioning(self.told.states[piece], self.told.pooled[piece]), noise[piece], steps)
                          for piece in pieces])

    @torch.no_grad()
    def features(self, latents: Tensor) -> Tensor:
        return torch.cat([clip_scorer.image_embeds(self.clip, sampling.decode(self.vae, part)).cpu() for part in latents.split(50)])

    def judge(self, member: family.Member, steps: int, seeds: int = 4, few: int = 50) -> tuple[dict, Tensor]:
        latents = self.latents(member, steps, 0)
        found = self.features(latents)
        others = torch.stack([found[:few], *(self.features(self.latents(member, steps, seed, few)) for seed in range(1, seeds))])
        cosines = torch.einsum("anc,bnc->abn", others, others)[torch.triu(torch.ones(seeds, seeds), 1).bool()]
        row = {"model": member.name, "steps": steps, "retrieval": retrieval(found, self.words),
               "score": float(100 * (found * self.words).sum(1).mean()), "frechet": frechet(found.numpy(), self.real.numpy()),
               "diversity": float(1 - cosines.mean())}
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}, latents.cpu()


Judged = tuple[dict, Tensor]
"""A row of the table, and the latents that its distance to the teacher is taken from."""


def judged(bench: Bench, job: tuple[str, int]) -> Judged:
    name, steps = job
    member = next(member for member in bench.members if member.name == name)
    row, latents = bench.judge(member, steps)
    print(json.dumps(row), flush=True)
    return row, latents


_bench: Bench | None = None
"""A worker's own."""


def _begin(device: str, prompts: int) -> None:
    global _bench
    torch.set_num_threads(1)
    _bench = Bench(device, prompts)


def _work(job: tuple[str, int]) -> Judged:
    return judged(_bench, job)


def measure(device: str, prompts: int, workers: int) -> list[dict]:
    """All rows, the most steps first; on a CPU by one process of one thread a core, which is faster than threads."""
    bench = Bench(device, prompts)
    jobs = [(member.name, steps) for member in bench.members for steps in member.steps]
    order = sorted(range(len(jobs)), key=lambda index: -jobs[index][1])
    if workers > 1:
        with torch.multiprocessing.get_context("spawn").Pool(workers, _begin, (device, prompts)) as pool:
            done = pool.map(_work, [jobs[index] for index in order], chunksize=1)
    else:
        done = [judged(bench, jobs[index]) for index in order]
    found = [judgement for _, judgement in sorted(zip(order, done), key=lambda pair: pair[0])]
    teacher, custom = found[0][1], next((latents for row, latents in found if row["model"] == "custom"), None)
    for row, latents in found[1:]:
        if latents.shape == teacher.shape:
            row["to_teacher"] = round(float(F.mse_loss(latents, teacher)), 4)
        if row["model"].startswith("custom +"):
            row["to_custom"] = round(float(F.mse_loss(latents, custom)), 4)
    real = bench.real[:prompts]
    return [{"model": "real pictures", "steps": 0, "retrieval": round(retrieval(real, bench.words), 4),
             "score": round(float(100 * (real * bench.words).sum(1).mean()), 4)}, *(row for row, _ in found)]


def table(rows: list[dict]) -> str:
    """Markdown."""
    columns = ("model", "steps", "retrieval", "score", "frechet", "to_teacher", "to_custom", "diversity")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--prompts", type=int, default=config.load().data.prompts)
    arguments.add_argument("--workers", type=int, help="processes; default: the cores of a CPU, 1 on a GPU")
    given = arguments.parse_args()
    result = measure(given.device, given.prompts, given.workers or (os.cpu_count() or 1 if given.device == "cpu" else 1))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    stages.finish("metrics")
