"""The autoencoder: 128×128×3 pictures to 16×16×4 latents and back (Rombach et al. 2021, arXiv 2112.10752).

Beside the reconstruction it learns that half-size latents decode to the half-size picture (the scale half of
EQ-VAE, Kouzelis et al. 2025, arXiv 2502.09509): such latents hold less noise for the diffusion model to learn,
and they stay meaningful at 64×64 pixels, where `turbo` works.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from . import config, nets, stages
from .data import cache
from .fast import quicken
from .loop import Log, Meter, Stop, autocast, generator, linear_decay, load, save
from .optim import Average, Optimizer
from .workers import Workers, workers_for

CHECKPOINT = config.WORK / "vae.pt"
POLISHED = config.WORK / "polish.pt"
"""The same encoder with a sharper decoder: see `polish`."""


def reconstruction(y: Tensor, x: Tensor) -> Tensor:
    """Absolute and squared error, of the values, of their differences between neighbours, and of 4×4 means."""
    error = y - x
    across, down = error.diff(dim=3), error.diff(dim=2)
    return (error.abs().mean() + error.square().mean() + 0.5 * (across.abs().mean() + down.abs().mean())
            + 0.5 * F.avg_pool2d(error, 4).abs().mean())


def batch_at(step: int, settings, shards: list[np.ndarray], whole: bool, share: int = 1) -> Tensor:
    """Crops, three in ten of them whole pictures at half size; or whole pictures, four times fewer.

    Of `share` workers each takes its part of a batch, and counts its own steps.
    """
    g = generator(1, step)
    pixels, count = (settings.size, settings.batch // 4) if whole else (settings.crop, settings.batch)
    count = max(1, count // share)
    found = []
    for _ in range(count):
        shard, index, x, y, half = torch.randint(0, 2**30, (5,), generator=g).tolist()
        source = shards[shard % len(shards)]
        picture = source[index % len(source)]
        if not whole and half % 10 < 3:
            picture = picture.reshape(pixels, 2, pixels, 2, 3).mean((1, 3)).astype(np.uint8)
        room = picture.shape[0] - pixels + 1
        found.append(picture[y % room:y % room + pixels, x % room:x % room + pixels])
    return cache.to_tensor(np.stack(found))


def train(device: str, workers: Workers) -> None:
    settings = config.load().vae
    data = config.load().data
    if workers.first:
        for index in range(settings.shards):
            cache.render_shard(cache.shard_name(index), index * data.shard, data.shard, data.seed, data.captions)
    workers.meet()
    shards = [cache.pictures(cache.shard_name(index)) for index in range(settings.shards)]

    torch.manual_seed(0)
    model = nets.vae(settings)
    # A small variance at the start: the decoder sees the code before it sees the noise.
    with torch.no_grad():
        model.quant_conv.bias[4:] -= 5
    quicken(model.to(device), device)
    optimizer, average = Optimizer(model, lr=settings.lr, lr_adam=settings.lr_adam), Average(model, settings.ema)
    start = 0
    if state := load(CHECKPOINT):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        start = state["step"]
    log, meter, stop = Log("vae"), Meter(), Stop()

    def checkpoint(step: int) -> None:
        save(CHECKPOINT, {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                          "average": average.state_dict(), "done": step == settings.steps})

    for step in range(start, settings.steps):
        own = step * workers.count + workers.rank
        x = batch_at(own, settings, shards, step >= settings.steps * (1 - settings.whole), workers.count).to(device)
        with autocast(device):
            posterior = model.encode(x).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator(2, own)).to(device)
            z = posterior.mean + posterior.std * noise
            y = model.decode(z).sample.float()
            half = model.decode(F.avg_pool2d(z[: max(1, len(z) // 2)], 2)).sample.float()
        loss = reconstruction(y, x)
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        equivariance = reconstruction(half, F.avg_pool2d(x[: len(half)], 2))
        (loss + settings.kl * kl + settings.equivariance * equivariance).backward()
        stopped = workers.share(list(model.parameters()), stop.wanted)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(linear_decay(step, settings.steps, settings.decay))
        if not workers.first:
            if stopped:
                return
            continue
        average.update(model)
        psnr = 10 * torch.log10(4 / (y - x).square().mean((1, 2, 3))).mean()
        meter.add(len(x) * workers.count, loss=loss.item(), kl=kl.item(), equivariance=equivariance.item(), psnr=psnr.item())
        if (step + 1) % 50 == 0:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 250 == 0 or stopped or step + 1 == settings.steps:
            checkpoint(step + 1)
            picture(opened(device, finished=False), config.WORK / "pictures" / "vae.png")
            meter.reset()
        if stopped:
            return
    if workers.first:
        stages.finish("vae")


def opened(device: str, finished: bool = True) -> AutoencoderKL:
    """The averaged weights, frozen, with SDXL's convention that scaled latents have unit variance."""
    state = finished and load(POLISHED) or load(CHECKPOINT)
    if state is None or finished and not load(CHECKPOINT)["done"]:
        raise FileNotFoundError("Cannot open the VAE: it is not trained yet, run the stage `vae` first")
    model = nets.vae(config.load().vae)
    model.load_state_dict(state["average"]["shadow"])
    model = quicken(model.to(device).requires_grad_(False).eval(), device)
    if finished and cache.latents_path(cache.shard_name(0)).exists():
        model.register_to_config(scaling_factor=cache.scaling_factor())
    return model


@torch.no_grad()
def published(model: AutoencoderKL, factor: float = 0.13025) -> AutoencoderKL:
    """The same autoencoder with SDXL's scaling factor, changed in place.

    A single file has no place for the factor, so every reader of one takes SDXL's. The difference goes into the two
    1×1 convolutions around the latents, and scaled latents stay what they were.
    """
    ratio = model.config.scaling_factor / factor
    channels = model.config.latent_channels
    model.quant_conv.weight[:channels] *= ratio
    model.quant_conv.bias[:channels] *= ratio
    model.quant_conv.bias[channels:] += 2 * math.log(ratio)
    model.post_quant_conv.weight /= ratio
    model.register_to_config(scaling_factor=factor)
    return model


@torch.no_grad()
def picture(model: AutoencoderKL, path) -> None:
    """Twelve pictures above, what comes back from their latents below."""
    x = cache.to_tensor(cache.pictures(cache.shard_name(0))[20:32])
    with autocast("cpu"):
        y = model.decode(model.encode(x).latent_dist.mean).sample.float()
    rows = torch.cat([torch.cat(list(row), -1) for row in (x, y.clamp(-1, 1))], -2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(((rows + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).save(path)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    given = arguments.parse_args()
    together = workers_for(given.device)
    train(given.device, together)
    together.close()
