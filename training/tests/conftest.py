"""A work folder of its own, and a family small enough to train in seconds."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ["FEWSTEP_TRAINING_DIR"] = tempfile.mkdtemp(prefix="fewstep-training-")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest  # noqa: E402
import torch  # noqa: E402

from pocket import config, tokenizer, vae  # noqa: E402
from pocket.data import cache  # noqa: E402
from pocket.optim import Average, Optimizer  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def small() -> None:
    """Real stages with small numbers; the VAE is not trained."""
    torch.set_num_threads(1)
    settings = config.load()
    settings.data.shard, settings.data.shards, settings.data.captions = 64, 1, 2
    settings.vae.channels = [32, 32, 32, 32]
    settings.unet.channels = [32, 64, 64]
    settings.text.widths = [64, 128]
    settings.base.batch, settings.base.steps, settings.base.decay = 8, 4, 2
    settings.clip.width, settings.clip.text_layers, settings.clip.image_layers = 64, 2, 2
    settings.tiny.channels, settings.tiny.blocks = 8, [1, 1, 1, 1]
    settings.custom.pictures, settings.data.held_out = 16, 100
    for stage in (settings.lightning, settings.lcm, settings.turbo, settings.custom, settings.clip, settings.tiny):
        stage.batch = 8
    original = config.load
    config.load = lambda *_: settings
    cache.load = config.load
    tokenizer.build(scenes_seen=200)
    torch.manual_seed(0)
    model = vae.nets.vae(settings.vae)
    vae.save(vae.CHECKPOINT, {"step": 0, "done": True, "model": model.state_dict(), "average": Average(model, 0.9).state_dict(),
                              "optimizer": Optimizer(model, lr=1e-3, lr_adam=1e-3).state_dict()})
    cache.build("cpu")
    yield
    config.load = original
