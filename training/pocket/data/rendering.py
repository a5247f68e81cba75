"""Pictures and captions by the dozen. Apart from `cache`, so that worker processes need not import torch."""

from __future__ import annotations

import numpy as np

from . import captions, compose, scenes


def render(indices: range, seed: int, count: int, split: str, look: str) -> tuple[np.ndarray, list[list[str]]]:
    """Pictures uint8 `[n, 128, 128, 3]` and `count` captions of each."""
    found = [scenes.sample(seed, index, split=split) for index in indices]
    return np.stack([np.asarray(compose.render(scene, look)) for scene in found]), [captions.captions(scene, count) for scene in found]
