"""LCM-LoRA: consistency distillation into a LoRA (Luo et al. 2023, arXiv 2310.04378 and 2311.05556).

A consistency function f(x_t, t) says x₀ from any point of a path, and says the same from all of them. So its answer at
x_t is pulled to its own answer one solver step further down, where the step is the guided teacher's.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from . import base, config, diffusion, distill, sampling, stages, vae
from .distill import Run, Source, noised
from .loop import Log, Meter, Stop, autocast
from .sampling import guided, predict

NAME = "lcm-lora"
GRID = 50
"""Points of the solver's grid: 19, 39, …, 999."""
SIGMA_DATA, SCALING = 0.5, 10.0


def boundary(t: Tensor) -> tuple[Tensor, Tensor]:
    """c_skip and c_out, which make f(x, 0) = x (section 4.1; SCALING as in the published models)."""
    s = SCALING * t.clamp_min(0)[:, None, None, None].float()
    return SIGMA_DATA**2 / (s**2 + SIGMA_DATA**2), s / (s**2 + SIGMA_DATA**2).sqrt()


def consistency(unet: nn.Module, xt: Tensor, t: Tensor, told) -> Tensor:
    skip, out = boundary(t)
    return skip * xt + out * diffusion.denoised(xt, predict(unet, xt, t, told), t)


def sample(unet: nn.Module, told, noise: Tensor, steps: int) -> Tensor:
    """Algorithm 1: answer, add the noise of the next level, answer again."""
    grid = torch.arange(1, GRID + 1) * (diffusion.TRAINED // GRID) - 1
    times = [int(grid.flip(0)[k * GRID // steps]) for k in range(steps)]
    g = torch.Generator().manual_seed(0)
    x = noise
    with torch.no_grad(), autocast(str(noise.device)):
        for k, t in enumerate(times):
            x = consistency(unet, x, torch.full((len(x),), t, device=x.device), told)
            if k + 1 < steps:
                fresh = torch.randn(x.shape, generator=g).to(x.device)
                x = diffusion.add_noise(x, fresh, torch.full((len(x),), times[k + 1], device=x.device))
    return x


def train(device: str, limit: int | None = None) -> None:
    settings = config.load().lcm
    teacher = base.opened(device)
    student = distill.with_lora(teacher.unet, settings.rank, device)
    run, source = Run(NAME, student, settings), Source(teacher, device, settings.batch)
    log, meter, stop = Log(NAME), Meter(), Stop()
    end = limit or settings.steps
    for step in range(run.step, end):
        x0, told, g = source.at(step, 40)
        stride = diffusion.TRAINED // GRID
        t = ((torch.randint(GRID, (len(x0),), generator=g) + 1) * stride - 1).to(device)
        to = t - stride
        xt = noised(x0, torch.randn(x0.shape, generator=g).to(device), t)
        with autocast(device):
            answer = consistency(student, xt, t, told)
            with torch.no_grad():
                taught = diffusion.denoised(xt, guided(teacher.unet, xt, t, told, settings.guidance), t)
                further = diffusion.move(xt, taught, t, to)
                target = torch.where((to < 0)[:, None, None, None], further, consistency(student, further, to.clamp_min(0), told))
        # The pseudo-Huber distance of the published recipe, with c = 0.001.
        loss = ((answer - target).square() + 1e-6).sqrt().mean() - 1e-3
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in student.parameters() if p.requires_grad], 1.0)
        run.optimizer.step(min((step + 1) / 20, 1.0, 2 * (end - step) / end))
        run.average.update(student)
        meter.add(len(x0), loss=loss.item())
        if (step + 1) % settings.log_every == 0 or step + 1 == end:
            log.write(step=step + 1, **meter.read())
        if (step + 1) % 200 == 0 or stop.wanted or step + 1 == end:
            run.save(step + 1, step + 1 == end)
        if stop.wanted:
            return
    picture(device)
    stages.finish(NAME)


def picture(device: str) -> None:
    """The fixed prompts at 2, 4 and 8 steps."""
    teacher = base.opened(device)
    student = distill.opened(NAME, teacher.unet, rank=config.load().lcm.rank, device=device)
    told, noise = distill.fixed(teacher, device)
    rows = torch.cat([sample(student, told, noise, steps) for steps in (2, 4, 8)])
    sampling.save_grid(sampling.decode(vae.opened(device), rows), len(noise), distill.pictures_path(NAME))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--limit", type=int, help="only so many iterations, to try the code")
    given = arguments.parse_args()
    train(given.device, given.limit)
