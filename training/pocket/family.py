"""The trained family as samplers: for each model, how its pictures are made from noise and prompts at some steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from peft.utils import set_peft_model_state_dict
from torch import Tensor, nn

from . import base, config, distill, lcm_lora, lightning, sampling, turbo
from .text import Conditioning


@dataclass(frozen=True)
class Member:
    name: str
    steps: tuple[int, ...]
    sample: Callable[[Conditioning, Tensor, int], Tensor]
    """Scaled latents from conditioning, unit noise `[batch, 4, 16, 16]` and a number of steps."""


def _plain(unet: nn.Module, guidance: float = 0.0, prediction: str = "epsilon") -> Callable[[Conditioning, Tensor, int], Tensor]:
    return lambda told, noise, steps: sampling.sample(unet, told, noise, steps, guidance, prediction)


def members(device: str, teacher: base.Model) -> list[Member]:
    """The base, and each student that has been trained."""
    settings = config.load()
    found = [Member("base", (50, 25, 8, 4, 2, 1), _plain(teacher.unet, settings.base.guidance))]
    for plan in lightning.PLANS:
        for lora in (False, True):
            name = lightning.name(plan, lora)
            if distill.finished(name):
                unet = distill.opened(name, teacher.unet, rank=settings.lightning.rank if lora else 0, device=device)
                found.append(Member(name, (plan.steps,), _plain(unet, prediction=plan.prediction)))
            if not lora and distill.checkpoint(earlier := lightning.before(name)).exists():
                unet = distill.opened(earlier, teacher.unet, device=device)
                found.append(Member(f"{name}, squared error alone", (plan.steps,), _plain(unet, prediction=plan.prediction)))
    if distill.finished(turbo.NAME):
        unet = distill.opened(turbo.NAME, teacher.unet, device=device)
        # Half the size: noise pooled to half the size has half the deviation.
        found.append(Member(turbo.NAME, (4, 2, 1), lambda told, noise, steps: turbo.sample(unet, told, 2 * F.avg_pool2d(noise, 2), steps)))
    if distill.finished(lcm_lora.NAME):
        unet_lcm = distill.opened(lcm_lora.NAME, teacher.unet, rank=settings.lcm.rank, device=device)
        found.append(Member(lcm_lora.NAME, (8, 4, 2), lambda told, noise, steps: lcm_lora.sample(unet_lcm, told, noise, steps)))
    if distill.finished("custom"):
        custom = distill.opened("custom", teacher.unet, device=device)
        found.append(Member("custom", (50,), _plain(custom, settings.base.guidance)))
        for steps in (8, 4, 2):
            name = f"lightning-{steps}step-lora"
            if distill.finished(name):
                adapted = distill.with_lora(custom, settings.lightning.rank, device)
                set_peft_model_state_dict(adapted, distill.lora_of(name, teacher.unet, settings.lightning.rank))
                found.append(Member(f"custom + {name}", (steps,), _plain(adapted.eval())))
    return found
