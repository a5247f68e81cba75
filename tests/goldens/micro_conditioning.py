"""A run of diffusers that is told other sizes than it draws, for both halves of the guidance, in float32 on the CPU.

One picture: for a batch diffusers repeats [negative, positive] as a pair, so its rows no longer meet their embeddings.

Command: python tests/goldens/micro_conditioning.py     (written: data/goldens/run-micro-conditioning.safetensors)
"""

from common import GOLDENS, deterministic
from record import record
from runs import open_pipeline

if __name__ == "__main__":
    deterministic()
    record(
        "run-micro-conditioning.safetensors",
        open_pipeline(GOLDENS / "tiny-sdxl"),
        prompt="snow",
        seeds=[2],
        steps=2,
        guidance=4,
        width=64,
        height=48,
        slim=True,
        original_size=(96, 128),
        crops_coords_top_left=(8, 16),
        target_size=(40, 80),
        negative_original_size=(32, 24),
        negative_crops_coords_top_left=(1, 2),
        negative_target_size=(56, 72),
    )
