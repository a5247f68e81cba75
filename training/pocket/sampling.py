"""Pictures during training: deterministic few-step sampling with classifier-free guidance."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageDraw
from torch import Tensor

from . import diffusion
from .loop import autocast
from .text import Conditioning, time_ids


def predict(unet: UNet2DConditionModel, xt: Tensor, t: Tensor, told: Conditioning, size: int = 128) -> Tensor:
    """The network's output: ε, or x₀ for a model that predicts samples."""
    return unet(xt, t, told.states, added_cond_kwargs={
        "text_embeds": told.pooled, "time_ids": time_ids(len(xt), size, xt.device)}, return_dict=False)[0].float()


def guided(unet: UNet2DConditionModel, xt: Tensor, t: Tensor, told: Conditioning, scale: float, size: int = 128) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598): ε∅ + w·(ε − ε∅), with SDXL's zeros for ∅."""
    if scale <= 1:
        return predict(unet, xt, t, told, size)
    nothing = told.zeros()
    both = Conditioning(torch.cat([nothing.states, told.states]), torch.cat([nothing.pooled, told.pooled]))
    without, with_ = predict(unet, torch.cat([xt, xt]), torch.cat([t, t]), both, size).chunk(2)
    return without + scale * (with_ - without)


@torch.no_grad()
def sample(unet: UNet2DConditionModel, told: Conditioning, noise: Tensor, steps: int, guidance: float = 0.0,
           prediction: str = "epsilon", size: int = 128) -> Tensor:
    """Scaled latents from unit noise along the trailing timesteps; the deterministic Euler step of SDXL-Lightning."""
    times = [*diffusion.trailing(steps).tolist(), -1]
    device = noise.device
    # diffusers starts the trailing Euler from noise·σ_max, which in the variance-preserving scale is √(1−ᾱ)·noise.
    xt = noise * (1 - diffusion.ALPHAS[-1]).sqrt()
    for t, to in zip(times, times[1:]):
        now = torch.full((len(xt),), t, device=device)
        with autocast(str(device)):
            output = guided(unet, xt, now, told, guidance, size)
        x0 = output if prediction == "sample" else diffusion.denoised(xt, output, now)
        xt = diffusion.move(xt, x0, now, torch.full_like(now, to))
    return xt


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Pictures in 0..1, `[batch, 3, height, width]`."""
    with autocast(str(latents.device)):
        return ((vae.decode(latents / vae.config.scaling_factor).sample.float() + 1) / 2).clamp(0, 1)


def save_grid(pictures: Tensor, columns: int, path: Path, labels: list[str] | None = None) -> None:
    """A contact sheet, left to right and down; a label is one line under its picture."""
    count, _, height, width = pictures.shape
    line = 12 if labels else 0
    sheet = Image.new("RGB", (columns * width, -(-count // columns) * (height + line)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        x, y = i % columns * width, i // columns * (height + line)
        sheet.paste(Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).cpu().numpy()), (x, y))
        if labels:
            draw.text((x + 2, y + height), labels[i][:24], fill="black", font_size=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
