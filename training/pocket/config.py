"""The one configuration file and the work folder that it is used with."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from types import SimpleNamespace

TRAINING = Path(__file__).resolve().parent.parent
REPOSITORY = TRAINING.parent
WORK = Path(os.environ.get("FEWSTEP_TRAINING_DIR", TRAINING / ".work"))
"""Caches, checkpoints and logs: everything that a stage can make again."""
MODELS = REPOSITORY / "models" / "pocket"
"""Where `export` writes the family in its published layouts."""


def _namespace(value: object) -> object:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _namespace(item) for key, item in value.items()})
    return value


def load(path: Path = TRAINING / "config.toml") -> SimpleNamespace:
    """`config.toml` with attribute access: `load().base.batch`."""
    return _namespace(tomllib.loads(path.read_text()))
