"""The stages in order: the command of each, and how one sees that it is done. Light to import: no torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import config

FINISHED = config.WORK / "finished"
"""One empty file for each finished stage."""


@dataclass(frozen=True)
class Stage:
    command: tuple[str, ...]
    done: Callable[[], bool]


def finish(name: str) -> None:
    FINISHED.mkdir(parents=True, exist_ok=True)
    (FINISHED / name).touch()


def _stage(name: str, *command: str) -> tuple[str, Stage]:
    return name, Stage(command, (FINISHED / name).exists)


def _cached() -> bool:
    settings = config.load().data
    return all((config.WORK / "data" / f"train-{index:03}.latents.npy").exists() for index in range(settings.shards))


STAGES: dict[str, Stage] = dict([
    _stage("tokenizer", "pocket.tokenizer"),
    _stage("vae", "pocket.vae"),
    ("cache", Stage(("pocket.data.cache",), _cached)),
    _stage("base", "pocket.base"),
    _stage("polish", "pocket.polish"),
    _stage("clip-scorer", "pocket.clip_scorer"),
    _stage("preview", "pocket.preview"),
    _stage("custom", "pocket.custom"),
    *(_stage(f"lightning-{steps}step", "pocket.lightning", "--steps", str(steps)) for steps in (8, 4, 2, 1)),
    *(_stage(f"lightning-{steps}step-lora", "pocket.lightning", "--steps", str(steps), "--lora") for steps in (8, 4, 2)),
    _stage("turbo", "pocket.turbo"),
    _stage("lcm-lora", "pocket.lcm_lora"),
    _stage("export", "pocket.export"),
    _stage("metrics", "pocket.metrics"),
    _stage("pictures", "pocket.pictures"),
    _stage("card", "pocket.card"),
])
