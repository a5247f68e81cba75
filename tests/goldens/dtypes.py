"""tiny-sdxl in bfloat16, and in three types at once, as diffusers runs it in float32.

Command: python tests/goldens/dtypes.py     (written: data/goldens/run-{bf16,mixed}.safetensors; run tiny.py first)

`mixed`: vectors float32, matrices bfloat16, convolutions float16, as trainers leave them that keep norms in full
precision. The tests cast the same tensors themselves; only the runs are kept.
"""

import shutil
import tempfile
from pathlib import Path

import torch
from common import deterministic
from layouts import FILES, FOLDER
from record import record
from runs import open_pipeline
from safetensors.torch import load_file, save_file

CASTS = {
    "bf16": lambda tensor: tensor.bfloat16(),
    "mixed": lambda tensor: {1: tensor.float, 2: tensor.bfloat16, 4: tensor.half}[tensor.ndim](),
}


def main():
    deterministic()
    for name, cast in CASTS.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            shutil.copytree(FOLDER, folder)
            for file in FILES.values():
                tensors = load_file(folder / file)
                save_file({key: cast(value.clone()) for key, value in tensors.items()}, folder / file, metadata={"format": "pt"})
            record(f"run-{name}.safetensors", open_pipeline(folder), prompt="neon fish, snow", seeds=[11], steps=2, guidance=4,
                   width=64, height=64)  # fmt: skip


if __name__ == "__main__":
    main()
