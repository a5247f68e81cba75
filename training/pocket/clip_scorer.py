"""A small CLIP on the same captions (Radford et al. 2021, arXiv 2103.00020): the measure of prompt and picture.

It scores pictures in the kit and in `metrics`, and its image tower is the feature network of `turbo`'s discriminator.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel

from . import config, stages, tokenizer
from .data import cache
from .loop import Log, Meter, Stop, autocast, generator, linear_decay, load, save
from .optim import Average, Optimizer

CHECKPOINT = config.WORK / "clip.pt"
MEAN, STD = 0.5, 0.5
"""Pictures enter in −1..1."""


def build(settings) -> CLIPModel:
    vocabulary = len(tokenizer.opened()[0])
    shared = {"hidden_size": settings.width, "intermediate_size": 4 * settings.width, "num_attention_heads": settings.width // 64}
    return CLIPModel(CLIPConfig(
        text_config={**shared, "vocab_size": vocabulary, "num_hidden_layers": settings.text_layers, "max_position_embeddings": 77,
                     "bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1},
        vision_config={**shared, "num_hidden_layers": settings.image_layers, "image_size": 128, "patch_size": 16},
        projection_dim=settings.width, attn_implementation="eager",
    ))


def preprocessor() -> dict:
    """What readers must do to a picture in 0..1, as transformers' CLIPImageProcessor has it in its file."""
    return {"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 128}, "resample": 3,
            "do_center_crop": True, "crop_size": {"height": 128, "width": 128}, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": [MEAN] * 3, "image_std": [STD] * 3}


class Pictures:
    """All rendered shards, with the ids of their captions."""

    def __init__(self) -> None:
        names = sorted(path.name.removesuffix(".captions.json") for path in cache.FOLDER.glob("train-*.captions.json"))
        self.shards = [cache.pictures(name) for name in names]
        self.ids = [cache.token_ids(name) for name in names]

    def batch(self, count: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures in −1..1, moved by up to 8 pixels and half of them mirrored, and the ids of a caption of each."""
        pictures, ids = [], []
        for _ in range(count):
            shard, index, telling, dx, dy, flip = torch.randint(0, 2**30, (6,), generator=g).tolist()
            shard %= len(self.shards)
            index %= len(self.shards[shard])
            picture = np.pad(self.shards[shard][index], ((8, 8), (8, 8), (0, 0)), mode="edge")
            picture = picture[dy % 17:dy % 17 + 128, dx % 17:dx % 17 + 128]
            pictures.append(picture[:, ::-1] if flip % 2 else picture)
            ids.append(self.ids[shard][index, telling % self.ids[shard].shape[1]].astype(np.int64))
        return cache.to_tensor(np.stack(pictures)), torch.from_numpy(np.stack(ids))


def contrastive(image: Tensor, words: Tensor, scale: Tensor) -> tuple[Tensor, float]:
    """The symmetric cross entropy of figure 3, and the share of pictures that find their own caption."""
    logits = scale.exp() * F.normalize(image.float(), dim=-1) @ F.normalize(words.float(), dim=-1).T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2, (logits.argmax(1) == own).float().mean().item()


def train(device: str, limit: int | None = None) -> None:
    settings = config.load().clip
    torch.manual_seed(0)
    model, data = build(settings).to(device), Pictures()
    optimizer, average, start = Optimizer(model, lr=settings.lr, lr_adam=settings.lr_adam), Average(model, settings.ema), 0
    if state := load(CHECKPOINT):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        start = state["step"]
    log, meter, stop = Log("clip-scorer"), Meter(), Stop()
    end = limit or settings.steps
    for step in range(start, end):
        pictures, ids = data.batch(settings.batch, generator(50, step))
        with autocast(device):
            out = model(input_ids=ids[:, :settings.tokens].to(device), pixel_values=pictures.to(device))
        loss, found = contrastive(out.image_embeds, out.text_embeds, model.logit_scale)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(linear_decay(step, end, 0.5))
        average.update(model)
        meter.add(len(ids), loss=loss.item(), found=found)
        if (step + 1) % 50 == 0 or step + 1 == end:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 250 == 0 or stop.wanted or step + 1 == end:
            save(CHECKPOINT, {"step": step + 1, "done": step + 1 == end, "model": model.state_dict(),
                              "optimizer": optimizer.state_dict(), "average": average.state_dict()})
        if stop.wanted:
            return
    stages.finish("clip-scorer")


def opened(device: str) -> CLIPModel:
    state = load(CHECKPOINT)
    if state is None:
        raise FileNotFoundError("Cannot open the CLIP scorer: it is not trained yet, run the stage `clip-scorer` first")
    model = build(config.load().clip)
    model.load_state_dict(state["average"]["shadow"])
    return model.to(device).requires_grad_(False).eval()


def image_embeds(model: CLIPModel, pictures: Tensor) -> Tensor:
    """Unit vectors of pictures in 0..1; those of another size are scaled to 128 pixels."""
    if pictures.shape[-1] != 128:
        pictures = F.interpolate(pictures, (128, 128), mode="bilinear", antialias=True)
    found = model.get_image_features(pixel_values=(pictures - MEAN) / STD)
    return F.normalize(getattr(found, "pooler_output", found).float(), dim=-1)


def text_embeds(model: CLIPModel, ids: Tensor) -> Tensor:
    found = model.get_text_features(input_ids=ids)
    return F.normalize(getattr(found, "pooler_output", found).float(), dim=-1)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--limit", type=int, help="only so many iterations, to try the code")
    given = arguments.parse_args()
    train(given.device, given.limit)
