"""Turbo: adversarial diffusion distillation (Sauer et al. 2023, arXiv 2311.17042), at half size as the real one.

The student says x₀ at once from one of four noise levels. Two teachers judge the answer: a discriminator in pixels on
the features of a frozen image network (the pocket CLIP has DINOv2's place), and the base, which re-noises the answer
and says what it would make of it (score distillation).
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPModel

from . import base, clip_scorer, config, diffusion, distill, sampling, stages, vae
from .discriminator import SHAKE
from .distill import Run, Source, noised
from .loop import Log, Meter, Stop, autocast
from .sampling import guided, predict

NAME = "turbo"
SIZE = 64
STEPS = 4


class TokenHead(nn.Module):
    """Logits for each patch token of one layer, conditioned on the prompt by projection."""

    def __init__(self, width: int, pooled: int, hidden: int = 64):
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.place, self.prompt = nn.Linear(hidden, 1), nn.Linear(pooled, hidden)

    def forward(self, tokens: Tensor, pooled: Tensor) -> Tensor:
        hidden = self.body(tokens.float())
        return self.place(hidden).squeeze(-1) + (hidden * self.prompt(pooled.float())[:, None]).mean(-1)


class PixelDiscriminator(nn.Module):
    def __init__(self, clip: CLIPModel, pooled: int):
        super().__init__()
        layers = clip.config.vision_config.num_hidden_layers
        self.heads = nn.ModuleList(TokenHead(clip.config.vision_config.hidden_size, pooled) for _ in range(layers))

    def forward(self, features: list[Tensor], pooled: Tensor) -> list[Tensor]:
        return [head(tokens, pooled) for head, tokens in zip(self.heads, features)]


def features(clip: CLIPModel, pictures: Tensor) -> list[Tensor]:
    """Patch tokens after every layer, of pictures in −1..1."""
    pixels = F.interpolate(pictures, (128, 128), mode="bilinear")
    states = clip.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
    return [state[:, 1:] for state in states[1:]]


def decode(model: AutoencoderKL, latents: Tensor) -> Tensor:
    return model.decode(latents / model.config.scaling_factor).sample


def train(device: str, limit: int | None = None) -> None:
    settings = config.load().turbo
    teacher, autoencoder, clip = base.opened(device), vae.opened(device), clip_scorer.opened(device)
    student = distill.copy_of(teacher.unet)
    discriminator = PixelDiscriminator(clip, teacher.second.config.projection_dim).to(device)
    run = Run(NAME, student, settings, extra={"discriminator": discriminator})
    source = Source(teacher, device, settings.batch)
    log, meter, stop = Log(NAME), Meter(), Stop()
    warm, end = (limit, 2 * limit) if limit else (settings.steps_warm, settings.steps)
    for step in range(run.step, end):
        x0, told, g = source.at(step, 30)
        x0 = F.avg_pool2d(x0, 2)
        t = diffusion.trailing(STEPS)[torch.randint(STEPS, (len(x0),), generator=g)].to(device)
        noise, fresh = (torch.randn(x0.shape, generator=g).to(device) for _ in range(2))
        xt, follows = noised(x0, noise, t), step >= warm
        with autocast(device):
            with torch.set_grad_enabled(follows):
                made = diffusion.denoised(xt, predict(student, xt, t, told, SIZE), t)
                fake = features(clip, decode(autoencoder, made))
            with torch.no_grad():
                real = [feature.float() for feature in features(clip, decode(autoencoder, x0))]
                at = torch.randint(20, 980, (len(x0),), generator=g).to(device)
                again = diffusion.add_noise(made.detach(), fresh, at)
                taught = diffusion.denoised(again, guided(teacher.unet, again, at, told, settings.guidance, SIZE), at)
        near = [feature + SHAKE * feature.std() * torch.randn_like(feature) for feature in real]
        yes, no, shaken = (discriminator(given, told.pooled) for given in (real, [f.detach() for f in fake], near))
        # The hinge loss of equation 3.
        heads = sum(F.relu(1 - y).mean() + F.relu(1 + n).mean() for y, n in zip(yes, no)) / len(yes)
        penalty = sum((y - s).square().mean() for y, s in zip(yes, shaken)) / len(yes)
        (heads + settings.r1 * penalty).backward()
        nn.utils.clip_grad_norm_(discriminator.parameters(), 1.0)
        run.extra_optimizers["discriminator"].step()
        losses = {"heads": heads.item()}
        if follows:
            adversarial = -sum(logits.mean() for logits in discriminator(fake, told.pooled)) / len(fake)
            # c(t) = √ᾱ_t: noisier answers of the teacher count less (section 3.3, "exponential weighting").
            weight = diffusion.ALPHAS.to(device)[at].sqrt()
            score = (weight * (made - taught).square().mean((1, 2, 3))).mean()
            (settings.adversarial_weight * adversarial + score).backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            discriminator.zero_grad(set_to_none=True)
            run.optimizer.step(min((step - warm + 1) / 20, 1.0, 2 * (end - step) / (end - warm)))
            run.average.update(student)
            losses |= {"adversarial": adversarial.item(), "score": score.item()}
        meter.add(len(x0), **losses)
        if (step + 1) % settings.log_every == 0 or step + 1 == end:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 200 == 0 or stop.wanted or step + 1 == end:
            run.save(step + 1, step + 1 == end)
        if stop.wanted:
            return
    picture(device)
    stages.finish(NAME)


@torch.no_grad()
def sample(unet: nn.Module, told, noise: Tensor, steps: int) -> Tensor:
    """Ancestral Euler in the variance-exploding scale, as the published scheduler does."""
    times = diffusion.trailing(steps).tolist()
    sigmas = [*(float(diffusion.SIGMAS[t]) for t in times), 0.0]
    g = torch.Generator().manual_seed(0)
    x = noise * sigmas[0]
    for t, sigma, to in zip(times, sigmas, sigmas[1:]):
        now = torch.full((len(x),), t, device=x.device)
        scaled = x / (sigma**2 + 1) ** 0.5
        with autocast(str(x.device)):
            x0 = diffusion.denoised(scaled, predict(unet, scaled, now, told, SIZE), now)
        up = (to**2 * (sigma**2 - to**2) / sigma**2) ** 0.5
        down = (to**2 - up**2) ** 0.5
        x = x0 + (x - x0) / sigma * down + up * torch.randn(x.shape, generator=g).to(x.device)
    return x


def picture(device: str) -> None:
    """The fixed prompts at half size: the base with guidance, then the student at 1, 2 and 4 steps."""
    teacher = base.opened(device)
    student = distill.opened(NAME, teacher.unet, device=device)
    told, noise = distill.fixed(teacher, device, SIZE // 8)
    rows = [sampling.sample(teacher.unet, told, noise, 32, config.load().turbo.guidance, size=SIZE)]
    rows += [sample(student, told, noise, steps) for steps in (1, 2, 4)]
    sampling.save_grid(sampling.decode(vae.opened(device), torch.cat(rows)), len(noise), distill.pictures_path(NAME))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--limit", type=int, help="only so many iterations a phase, to try the code")
    given = arguments.parse_args()
    train(given.device, given.limit)
