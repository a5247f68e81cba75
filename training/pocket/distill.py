"""What the distillations share: a student beside its frozen teacher, LoRA in place of full weights, checkpoints."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from . import base, config, diffusion, tokenizer
from .data import cache
from .fast import quicken
from .loop import generator, load, save
from .optim import Average, Optimizer
from .text import Conditioning

LORA_TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
                "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj"]
"""The modules of the published SDXL-Lightning LoRAs."""


class Source:
    """Latents with their conditioning from the teacher's frozen text encoders."""

    def __init__(self, teacher: base.Model, device: str, batch: int):
        self.data, self.teacher, self.device, self.batch = cache.Latents(), teacher, device, batch

    @torch.no_grad()
    def at(self, step: int, salt: int) -> tuple[Tensor, Conditioning, torch.Generator]:
        g = generator(salt, step)
        x0, ids = self.data.batch(self.batch, g)
        return x0.to(self.device), self.teacher.told(ids.to(self.device)), g


def noised(x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x_t, but nothing of x₀ at the last timestep, because sampling starts from pure noise (Lin et al. 2024, section 3.5)."""
    last = (t == diffusion.TRAINED - 1)[:, None, None, None]
    xt = torch.where(last, noise * (1 - diffusion.ALPHAS[-1]).sqrt(), diffusion.add_noise(x0, noise, t))
    return xt.contiguous(memory_format=torch.channels_last)


def copy_of(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    return copy.deepcopy(unet).requires_grad_(True).train()


def with_lora(unet: UNet2DConditionModel, rank: int, device: str) -> UNet2DConditionModel:
    """A frozen copy with trainable low-rank adapters beside its layers (Hu et al. 2021, arXiv 2106.09685)."""
    adapted = copy.deepcopy(unet).requires_grad_(False)
    adapted.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=LORA_TARGETS))
    return quicken(adapted.train(), device)


def lora_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    return get_peft_model_state_dict(unet)


class Run:
    """One resumable distillation: student, its average, the optimizer, the step."""

    def __init__(self, name: str, student: nn.Module, settings, *, extra: dict[str, nn.Module] | None = None):
        self.path = checkpoint(name)
        self.student, self.extra = student, extra or {}
        self.optimizer = Optimizer(student, lr=settings.lr, lr_adam=settings.lr_adam)
        self.extra_optimizers = {key: Optimizer(module, lr=settings.lr_heads, lr_adam=settings.lr_heads)
                                 for key, module in self.extra.items()}
        self.average = Average(student, settings.ema)
        self.step = 0
        if state := load(self.path):
            student.load_state_dict(state["student"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.load_state_dict(state["average"])
            for key, module in self.extra.items():
                module.load_state_dict(state["extra"][key])
                self.extra_optimizers[key].load_state_dict(state["extra_optimizers"][key])
            self.step = state["step"]

    def save(self, step: int, done: bool) -> None:
        save(self.path, {
            "step": step, "done": done, "student": self.student.state_dict(), "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(), "extra": {key: module.state_dict() for key, module in self.extra.items()},
            "extra_optimizers": {key: optimizer.state_dict() for key, optimizer in self.extra_optimizers.items()},
        })


def checkpoint(name: str) -> Path:
    return config.WORK / f"{name}.pt"


def finished(name: str) -> bool:
    state = load(checkpoint(name))
    return bool(state and state["done"])


def opened(name: str, base_unet: UNet2DConditionModel, *, rank: int = 0, device: str = "cpu") -> UNet2DConditionModel:
    """The averaged weights of a student, frozen; with `rank` the base with its LoRA."""
    state = load(checkpoint(name))
    if state is None:
        raise FileNotFoundError(f"Cannot open the student {name}: it is not trained yet")
    unet = with_lora(base_unet, rank, device) if rank else copy_of(base_unet)
    unet.load_state_dict(state["average"]["shadow"])
    return quicken(unet.requires_grad_(False).eval(), device)


def lora_of(name: str, base_unet: UNet2DConditionModel, rank: int) -> dict[str, Tensor]:
    return lora_state(opened(name, base_unet, rank=rank))


PROMPTS = list(base.SAMPLES)


def fixed(teacher: base.Model, device: str, size: int = 16) -> tuple[Conditioning, Tensor]:
    """The prompts and noise of the stage pictures."""
    ids = tokenizer.ids(PROMPTS, tokenizer.opened())[0].to(device)
    with torch.no_grad():
        told = teacher.told(ids)
    return told, torch.randn((len(PROMPTS), 4, size, size), generator=generator(4, 0)).to(device)


def pictures_path(name: str) -> Path:
    return config.WORK / "pictures" / f"{name}.png"
