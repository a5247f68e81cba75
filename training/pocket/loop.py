"""What all training stages share: resumable checkpoints, a log of JSON lines, schedules by step.

A step's data and noise come from a generator seeded by (seed, step). So a checkpoint needs no generator state,
and a run that was stopped and resumed equals one that was not.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .config import WORK
from .fast import multiplies_bfloat16


def generator(seed: int, step: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def linear_decay(step: int, steps: int, share: float, warmup: int = 50) -> float:
    """Warm-up, then 1, then linearly down to 0 over the last `share` of the steps."""
    return min((step + 1) / warmup, 1.0, (steps - step) / max(1.0, steps * share))


def save(path: Path, state: dict[str, Any]) -> None:
    """Written beside, then renamed: a stop in the middle leaves the older checkpoint whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".incomplete")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any] | None:
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


class Log:
    """One JSON line an entry, in the work folder and, shorter, on the terminal.

    `seconds` is the wall time since the entry before, so that their sum is a stage's time over all its sessions.
    """

    def __init__(self, stage: str):
        self.path = WORK / "logs" / f"{stage}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.last = time.time()

    def write(self, **entry: Any) -> None:
        entry["seconds"], self.last = time.time() - self.last, time.time()
        entry = {key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in entry.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"time": round(time.time()), **entry}) + "\n")
        print(" ".join(f"{key}={value}" for key, value in entry.items()), flush=True)


def wall_time(stage: str) -> float:
    """Seconds that a stage has taken, over all its sessions."""
    path = WORK / "logs" / f"{stage}.jsonl"
    return sum(json.loads(line).get("seconds", 0.0) for line in path.read_text().splitlines()) if path.exists() else 0.0


class Meter:
    """Running means of losses and the rate of samples between two log lines."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sums: dict[str, float] = {}
        self.steps, self.samples, self.start = 0, 0, time.time()

    def add(self, samples: int, **losses: float) -> None:
        for key, value in losses.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value)
        self.steps += 1
        self.samples += samples

    def read(self) -> dict[str, float]:
        means = {key: value / self.steps for key, value in self.sums.items()}
        means["per_second"] = self.samples / (time.time() - self.start)
        self.reset()
        return means


class Stop:
    """Turns SIGINT and SIGTERM into a wish, so that a stage ends after the step it is in, with a checkpoint."""

    def __init__(self) -> None:
        self.wanted = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(self, "wanted", True))


def autocast(device: str) -> torch.autocast:
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=multiplies_bfloat16(device))


def freeze(*models: nn.Module) -> None:
    for model in models:
        model.requires_grad_(False).eval()
