"""The custom model: the base fine-tuned to another look, as Juggernaut XL is to SDXL.

The same scenes are drawn as in an old storybook (ink outlines on warm, simplified colours), and the U-Net learns on at
a low rate. The text encoders stay, so every LoRA of the base fits.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from . import base, config, diffusion, distill, sampling, stages, vae
from .data import cache
from .distill import Run
from .loop import Log, Meter, Stop, autocast, generator
from .sampling import predict

NAME = "custom"
LOOK = "storybook"


def latents(device: str) -> cache.Latents:
    """The latents of pictures in the new look, drawn and encoded on first use."""
    settings = config.load()
    name = f"{LOOK}-000"
    cache.render_shard(name, 10_000_000, settings.custom.pictures, settings.data.seed, settings.data.captions, look=LOOK)
    cache.encode(name, vae.opened(device), device)
    return cache.Latents(LOOK)


def train(device: str, limit: int | None = None) -> None:
    settings = config.load().custom
    teacher = base.opened(device)
    student = distill.copy_of(teacher.unet)
    run, data = Run(NAME, student, settings), latents(device)
    log, meter, stop = Log(NAME), Meter(), Stop()
    end = limit or settings.steps
    for step in range(run.step, end):
        g = generator(20, step)
        x0, ids = data.batch(settings.batch, g)
        t = diffusion.stratified_timesteps(settings.batch, g)
        noise = torch.randn(x0.shape, generator=g)
        keep = (torch.rand(settings.batch, generator=g) >= settings.zeroed).float()
        x0, ids, t, noise, keep = (value.to(device) for value in (x0, ids, t, noise, keep))
        xt = diffusion.add_noise(x0, noise, t).contiguous(memory_format=torch.channels_last)
        with autocast(device):
            with torch.no_grad():
                told = teacher.told(ids).where(keep)
            error = (predict(student, xt, t, told) - noise).square().mean((1, 2, 3))
        (error * diffusion.min_snr(t, 5.0)).mean().backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        run.optimizer.step(min((step + 1) / 50, 1.0, 2 * (end - step) / end))
        run.average.update(student)
        meter.add(len(x0), epsilon=error.mean().item())
        if (step + 1) % 50 == 0 or step + 1 == end:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 200 == 0 or stop.wanted or step + 1 == end:
            run.save(step + 1, step + 1 == end)
        if stop.wanted:
            return
    picture(device)
    stages.finish(NAME)


def picture(device: str) -> None:
    """The fixed prompts: the base, then the custom model, both with guidance."""
    teacher = base.opened(device)
    student = distill.opened(NAME, teacher.unet, device=device)
    told, noise = distill.fixed(teacher, device)
    rows = torch.cat([sampling.sample(unet, told, noise, 32, config.load().base.guidance) for unet in (teacher.unet, student)])
    sampling.save_grid(sampling.decode(vae.opened(device), rows), len(noise), distill.pictures_path(NAME))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--limit", type=int, help="only so many iterations, to try the code")
    given = arguments.parse_args()
    train(given.device, given.limit)
