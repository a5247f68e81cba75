"""What all golden scripts share: where things lie, and goldens that say what made them.

Goldens are made with diffusers 0.42.1, transformers 5.23.0, torch 2.13.0 (CPU), safetensors 0.8.0, numpy 2.4.6.
quality.py wants scikit-image 0.26.0, scipy 1.17.1 and torchmetrics 1.9.0 besides.
Run from the repository's root, all of them with:  python tests/goldens/all.py
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

GOLDENS = Path("data/goldens")
POCKET = Path("models/pocket")


def provenance():
    """The command and the versions, so that a golden can be made again and a difference explained."""
    command = f"python {sys.argv[0]}"
    return {"command": command, **{name: version(name) for name in ("torch", "diffusers", "transformers", "numpy")}}


def save_json(name, value):
    GOLDENS.mkdir(parents=True, exist_ok=True)
    with open(GOLDENS / name, "w", encoding="utf-8") as file:
        json.dump({"made": provenance(), **value}, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


def save_tensors(name, tensors, **fewstep):
    GOLDENS.mkdir(parents=True, exist_ok=True)
    metadata = {"fewstep": json.dumps({"version": 1, "made": provenance(), **fewstep})}
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, GOLDENS / name, metadata=metadata)


def deterministic():
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True, warn_only=True)
