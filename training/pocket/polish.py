"""The VAE's decoder made sharp: its encoder frozen, a PatchGAN beside the reconstruction (Esser et al. 2020, arXiv 2012.09841).

Squared and absolute errors make the decoder hedge between the edges that one latent may stand for. The discriminator
looks at patches of about 30 pixels and punishes the hedging. Latents don't change, so nothing that was trained on them
has to be trained again.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import config, nets, stages, vae
from .data import cache
from .fast import GroupNorm, quicken
from .loop import Log, Meter, Stop, autocast, generator, linear_decay, load, save
from .optim import Average, Optimizer

SHAKE = 0.05
"""Noise on pictures in −1..1 for the approximate R1 penalty, as in `discriminator`."""


class PatchDiscriminator(nn.Module):
    """Isola et al. 2016 (arXiv 1611.07004): a stack of strided convolutions, one logit a patch."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1), GroupNorm(8, 2 * width), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 4, 1, 1), GroupNorm(8, 4 * width), nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).float()


def train(device: str, limit: int | None = None) -> None:
    settings, shape = config.load().polish, config.load().vae
    data = config.load().data
    shards = [cache.pictures(cache.shard_name(index)) for index in range(data.shards)]
    torch.manual_seed(0)
    model = nets.vae(shape)
    model.load_state_dict(load(vae.CHECKPOINT)["average"]["shadow"])
    quicken(model.to(device), device)
    for part in (model.encoder, model.quant_conv):
        part.requires_grad_(False)
    judge = PatchDiscriminator(settings.width).to(device, memory_format=torch.channels_last)
    optimizer, judges = Optimizer(model, lr=settings.lr, lr_adam=settings.lr_adam), Optimizer(judge, lr=settings.lr_judge, lr_adam=settings.lr_judge)
    average, start = Average(model, settings.ema), 0
    if state := load(vae.POLISHED):
        model.load_state_dict(state["model"])
        judge.load_state_dict(state["judge"])
        optimizer.load_state_dict(state["optimizer"])
        judges.load_state_dict(state["judges"])
        average.load_state_dict(state["average"])
        start = state["step"]
    log, meter, stop = Log("polish"), Meter(), Stop()
    warm, end = (limit, 2 * limit) if limit else (settings.steps_warm, settings.steps)
    for step in range(start, end):
        x = vae.batch_at(1_000_000 + step, shape, shards, whole=False).to(device)
        with autocast(device):
            with torch.no_grad():
                posterior = model.encode(x).latent_dist
                z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator(2, step)).to(device)
            y = model.decode(z).sample.float()
            near = x + SHAKE * torch.randn(x.shape, generator=generator(5, step)).to(device)
            yes, no, shaken = judge(x), judge(y.detach()), judge(near)
        told_apart = (((yes > 0).float().mean() + (no < 0).float().mean()) / 2).item()
        judged = F.softplus(-yes).mean() + F.softplus(no).mean()
        (judged + settings.r1 * (yes - shaken).square().mean()).backward()
        judges.step()
        with autocast(device):
            adversarial = F.softplus(-judge(y)).mean()
        loss = vae.reconstruction(y, x)
        (loss + (settings.adversarial if step >= warm else 0.0) * adversarial).backward()
        judge.zero_grad(set_to_none=True)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(linear_decay(step, end, 0.5))
        average.update(model)
        psnr = 10 * torch.log10(4 / (y - x).square().mean((1, 2, 3))).mean()
        meter.add(len(x), loss=loss.item(), judge=judged.item(), told_apart=told_apart, adversarial=adversarial.item(), psnr=psnr.item())
        if (step + 1) % 50 == 0 or step + 1 == end:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 250 == 0 or stop.wanted or step + 1 == end:
            save(vae.POLISHED, {"step": step + 1, "done": step + 1 == end, "model": model.state_dict(), "judge": judge.state_dict(),
                              "optimizer": optimizer.state_dict(), "judges": judges.state_dict(), "average": average.state_dict()})
        if stop.wanted:
            return
    vae.picture(vae.opened(device), config.WORK / "pictures" / "polish.png")
    stages.finish("polish")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--limit", type=int, help="only so many iterations a phase, to try the code")
    given = arguments.parse_args()
    train(given.device, given.limit)
