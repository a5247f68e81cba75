"""Previews without the VAE: a tiny autoencoder in TAESD's layout, and a linear map from latents to RGB."""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from . import config, sampling, stages, vae
from .data import cache
from .loop import Log, Meter, Stop, autocast, generator, linear_decay, load, save
from .optim import Average, Optimizer

CHECKPOINT = config.WORK / "tiny-autoencoder.pt"
FACTORS = config.WORK / "latent-rgb.json"


def build(settings) -> AutoencoderTiny:
    levels = (settings.channels,) * 4
    return AutoencoderTiny(encoder_block_out_channels=levels, decoder_block_out_channels=levels, latent_channels=4, scaling_factor=1.0,
                           num_encoder_blocks=tuple(settings.blocks), num_decoder_blocks=tuple(reversed(settings.blocks)))


class Pairs:
    """Aligned crops: pictures of 64 pixels and the VAE's latents of the same place."""

    def __init__(self) -> None:
        names = cache.Latents().names
        self.latents = [np.load(cache.latents_path(name)) for name in names]
        self.pictures = [cache.pictures(name) for name in names]
        self.scale = cache.scaling_factor()

    def batch(self, count: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        pictures, latents = [], []
        for _ in range(count):
            shard, index, x, y = torch.randint(0, 2**30, (4,), generator=g).tolist()
            shard, x, y = shard % len(self.pictures), x % 9, y % 9
            index %= len(self.pictures[shard])
            pictures.append(self.pictures[shard][index, y * 8:y * 8 + 64, x * 8:x * 8 + 64])
            latents.append(self.latents[shard][index, :, y:y + 8, x:x + 8])
        return cache.to_tensor(np.stack(pictures)), torch.from_numpy(np.stack(latents)).float() * self.scale


def train(device: str, limit: int | None = None) -> None:
    settings = config.load().tiny
    torch.manual_seed(0)
    model, data = build(settings).to(device, memory_format=torch.channels_last), Pairs()
    optimizer, average, start = Optimizer(model, lr=settings.lr, lr_adam=settings.lr_adam), Average(model, settings.ema), 0
    if state := load(CHECKPOINT):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        start = state["step"]
    log, meter, stop = Log("tiny-autoencoder"), Meter(), Stop()
    end = limit or settings.steps
    for step in range(start, end):
        x, z = (value.to(device) for value in data.batch(settings.batch, generator(60, step)))
        with autocast(device):
            code = model.encoder(x).float()
            y = model.decoder(z).float()
        encoding, decoding = F.mse_loss(code, z), vae.reconstruction(y, x)
        (encoding + decoding).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(linear_decay(step, end, 0.5))
        average.update(model)
        psnr = 10 * torch.log10(4 / (y - x).square().mean((1, 2, 3))).mean()
        meter.add(len(x), encoding=encoding.item(), decoding=decoding.item(), psnr=psnr.item())
        if (step + 1) % 50 == 0 or step + 1 == end:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 250 == 0 or stop.wanted or step + 1 == end:
            save(CHECKPOINT, {"step": step + 1, "done": step + 1 == end, "model": model.state_dict(),
                              "optimizer": optimizer.state_dict(), "average": average.state_dict()})
        if stop.wanted:
            return
    fit_factors()
    picture(device)
    stages.finish("preview")


def fit_factors() -> dict:
    """Least squares from a scaled latent to the mean colour of its 8×8 pixels, in −1..1: RGB = latent·M + b."""
    pairs = Pairs()
    colours = np.asarray(pairs.pictures[0][:2048], np.float32).reshape(-1, 16, 8, 16, 8, 3).mean((2, 4)).reshape(-1, 3) / 127.5 - 1
    latents = pairs.latents[0][:2048].astype(np.float32).transpose(0, 2, 3, 1).reshape(-1, 4) * pairs.scale
    known = np.concatenate([latents, np.ones((len(latents), 1), np.float32)], 1)
    solution, *_ = np.linalg.lstsq(known, colours, rcond=None)
    error = float(np.abs(known @ solution - colours).mean())
    found = {"factors": solution[:4].round(4).tolist(), "bias": solution[4].round(4).tolist(), "mean_absolute_error": round(error, 4)}
    FACTORS.write_text(json.dumps(found, indent=2) + "\n")
    return found


def opened(device: str) -> AutoencoderTiny:
    state = load(CHECKPOINT)
    if state is None:
        raise FileNotFoundError("Cannot open the tiny autoencoder: it is not trained yet, run the stage `preview` first")
    model = build(config.load().tiny)
    model.load_state_dict(state["average"]["shadow"])
    return model.to(device, memory_format=torch.channels_last).requires_grad_(False).eval()


@torch.no_grad()
def picture(device: str) -> None:
    """Pictures, then what the VAE, the tiny decoder and the linear map make of their latents."""
    pairs, factors = Pairs(), json.loads(FACTORS.read_text())
    z = torch.from_numpy(pairs.latents[0][20:32]).float().to(device) * pairs.scale
    rgb = torch.einsum("nchw,cr->nrhw", z, torch.tensor(factors["factors"], device=device))
    rgb = rgb + torch.tensor(factors["bias"], device=device)[:, None, None]
    rows = [cache.to_tensor(pairs.pictures[0][20:32]).to(device), sampling.decode(vae.opened(device), z) * 2 - 1,
            opened(device).decoder(z), F.interpolate(rgb, (128, 128))]
    pictures = ((torch.cat(rows) + 1) / 2).clamp(0, 1)
    sampling.save_grid(pictures, 12, config.WORK / "pictures" / "preview.png")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--limit", type=int, help="only so many iterations, to try the code")
    given = arguments.parse_args()
    train(given.device, given.limit)
