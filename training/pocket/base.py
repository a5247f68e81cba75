"""The teacher: a text-conditioned latent diffusion model that predicts ε, trained from nothing.

Text encoders and U-Net learn together. The rate is warmed up and then constant, so that training can be stopped,
resumed and prolonged at will; `--decay` makes a releasable model from the checkpoint of any moment by taking the rate
down to 0 (warmup-stable-decay: Hu et al. 2024, arXiv 2404.06395, section 4), and leaves that checkpoint as it is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from . import config, diffusion, nets, sampling, stages, text, tokenizer, vae
from .data import cache
from .fast import quicken
from .loop import Log, Meter, Stop, autocast, freeze, generator, load, save
from .optim import Average, Optimizer
from .sampling import predict
from .workers import Workers, workers_for

CHECKPOINT = config.WORK / "base.pt"
RELEASE = config.WORK / "base.release.pt"
SAMPLES = (
    "food photography, cheesecake, blueberries and jam, cinnamon, in a luxurious Michelin kitchen style, depth of field",
    "close up, woman, headdress, neon iridescent tattoos, snow forest, intricate, 8k, cinematic lighting, volumetric lighting",
    "a fish made out of dendrobium flowers, ultrarealistic, highly detailed, 8k",
    "macro photography of beautiful nails with manicure, painting, oil paints, gold splashes, professional color palette",
    'video game room with a big neon sign that says "arcade", cinematic, 8k, natural lighting, HDR',
    "3d isometric dungeon game",
    "red apple on a wooden table", "castle, sunset", "owl, snow forest", "tiger face, neon room", "pizza, kitchen",
    "whale, underwater", "sunflower, meadow", "rocket, space", "a robot face wearing a crown, city at night", "cat face, beach",
    "palm tree, beach", "red car, mountains", "a guitar and a trophy, stage", "three donuts, pink background", "penguin made of gold, dungeon",
    "panda face, pixel art", "mushroom, forest", "hamburger, polka dots",
)


@dataclass
class Model:
    """The three trained parts of the base."""
    unet: UNet2DConditionModel
    first: CLIPTextModel
    second: CLIPTextModelWithProjection

    @property
    def parts(self) -> tuple[nn.Module, ...]:
        return self.unet, self.first, self.second

    def told(self, ids: Tensor) -> text.Conditioning:
        return text.encode(self.first, self.second, ids)


def build(device: str) -> Model:
    settings = config.load()
    torch.manual_seed(0)
    unet = nets.unet(settings.unet, settings.text)
    first, second = nets.text_encoders(settings.text, len(tokenizer.opened()[0]))
    return Model(*(quicken(part.to(device), device) for part in (unet, first, second)))


def opened(device: str, release: bool = True) -> Model:
    """Frozen: the release, or the averaged weights of the running training.

    A release takes the last weights themselves. The decay has averaged out what the mean is there to average out, and
    after a short one the mean still lags behind.
    """
    state = load(RELEASE if release else CHECKPOINT)
    if state is None:
        raise FileNotFoundError("Cannot open the base: it is not trained yet, run the stage `base` first")
    model = build(device)
    for part, last, average in zip(model.parts, state["models"], state["averages"]):
        part.load_state_dict(last if release else average["shadow"])
    freeze(*model.parts)
    return model


def loss_at(step: int, model: Model, data: cache.Latents, settings, device: str, workers: Workers, tokens: int) -> tuple[Tensor, Tensor]:
    """ε-prediction errors and their weights on one batch, with captions dropped in two ways for guidance.

    The first `half_until` batches are of half-size pictures, which the autoencoder makes from pooled latents: a quarter
    of the work teaches which word has which shape. Later one batch in `half_every` still is: SDXL's size conditioning
    tells the two apart, and `turbo` starts from what is learned there.
    """
    g = generator(3, step * workers.count + workers.rank)
    x0, ids = data.batch(settings.batch, g)
    if half := step < settings.half_until or step % settings.half_every == settings.half_every - 1:
        x0 = F.avg_pool2d(x0, 2)
    empty = torch.full_like(ids[0], model.second.config.eos_token_id)
    empty[0] = model.second.config.bos_token_id
    kinds = torch.rand(settings.batch, generator=g)
    ids = torch.where((kinds < settings.empty)[:, None], empty, ids)
    ids = ids[:, :tokens]
    keep = (kinds < 1 - settings.zeroed).float()
    t = diffusion.stratified_timesteps(settings.batch, g)
    noise = torch.randn(x0.shape, generator=g)
    x0, ids, keep, t, noise = (value.to(device) for value in (x0, ids, keep, t, noise))
    xt = diffusion.add_noise(x0, noise, t).contiguous(memory_format=torch.channels_last)
    with autocast(device):
        epsilon = predict(model.unet, xt, t, model.told(ids).where(keep), 64 if half else 128)
    error = (epsilon - noise).square().mean((1, 2, 3))
    return error, diffusion.min_snr(t, settings.min_snr)


def train(device: str, workers: Workers, decay: int = 0) -> bool:
    """The constant phase, or the decay that ends it; returns whether it came to its end."""
    workers.meet()
    settings = config.load().base
    model, data = build(device), cache.Latents()
    optimizer = Optimizer(*model.parts, lr=settings.lr, lr_adam=settings.lr_adam)
    averages = [Average(part, settings.ema) for part in model.parts]
    trained = [p for part in model.parts for p in part.parameters()]
    start = seen = 0
    if state := load(CHECKPOINT):
        for part, weights, average, mean in zip(model.parts, state["models"], averages, state["averages"]):
            part.load_state_dict(weights)
            average.load_state_dict(mean)
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        start, seen = state["step"], state["seen"]
    end = start + decay if decay else settings.steps
    target = RELEASE if decay else CHECKPOINT
    log, meter, stop = Log("base"), Meter(), Stop()

    def checkpoint(step: int) -> None:
        save(target, {"step": step, "seen": seen, "models": [part.state_dict() for part in model.parts], "optimizer": optimizer.state_dict(),
                      "averages": [average.state_dict() for average in averages], "pictures": len(data)})

    for step in range(start, end):
        factor = (end - step) / decay if decay else min((step + 1) / 100, 1.0)
        tokens = settings.tokens[bool(decay) or step >= settings.tokens_from]
        error, weight = loss_at(step, model, data, settings, device, workers, tokens)
        (error * weight).mean().backward()
        stopped = workers.share(trained, stop.wanted)
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step(factor)
        if not workers.first:
            if stopped:
                return False
            continue
        for part, average in zip(model.parts, averages):
            average.update(part)
        seen += len(error) * workers.count
        meter.add(len(error) * workers.count, epsilon=error.mean().item(), weighted=(error * weight).mean().item())
        if (step + 1) % 50 == 0:
            log.write(step=step + 1, factor=factor, seen=seen, **meter.read())
        if (step + 1) % settings.picture_every == 0 or stopped or step + 1 == end:
            checkpoint(step + 1)
            if not stopped:
                picture(device, release=bool(decay))
            meter.reset()
        if stopped:
            return False
    if decay and workers.first:
        stages.finish("base")
    return True


def conditioning(model: Model, prompts: list[str]) -> text.Conditioning:
    with torch.no_grad():
        device = next(model.unet.parameters()).device
        return model.told(tokenizer.ids(prompts, tokenizer.opened())[0].to(device))


def picture(device: str, release: bool, steps: int = 25) -> Path:
    """The fixed prompts from fixed noise, so that two moments of the training compare."""
    model = opened(device, release)
    noise = torch.randn((len(SAMPLES), 4, 16, 16), generator=generator(4, 0)).to(device)
    latents = sampling.sample(model.unet, conditioning(model, list(SAMPLES)), noise, steps, config.load().base.guidance)
    step = load(RELEASE if release else CHECKPOINT)["step"]
    path = config.WORK / "pictures" / f"base-{step:06}{'-release' if release else ''}.png"
    sampling.save_grid(sampling.decode(vae.opened(device), latents), 8, path, list(SAMPLES))
    return path


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--decay", type=int, default=0, help="end the constant phase with this many steps of decay")
    arguments.add_argument("--workers", type=int, help="processes of one thread; default: the cores of a CPU, 1 on a GPU")
    given = arguments.parse_args()
    together = workers_for(given.device, given.workers)
    if given.decay or train(given.device, together):
        train(given.device, together, given.decay or config.load().base.decay)
    together.close()
