"""The diffusion process of SDXL: the scaled-linear schedule and what follows from it.

x_t = √ᾱ_t·x₀ + √(1−ᾱ_t)·ε with t in 0..999 (Ho et al. 2020, arXiv 2006.11239, equation 4).
"""

from __future__ import annotations

import torch
from torch import Tensor

TRAINED = 1000
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, TRAINED, dtype=torch.float64) ** 2
ALPHAS = torch.cumprod(1 - BETAS, 0).float()
"""ᾱ_t"""
SIGMAS = ((1 - ALPHAS) / ALPHAS).sqrt()
"""Noise over signal, as the samplers count it."""


def _at(table: Tensor, t: Tensor) -> Tensor:
    return table.to(t.device)[t][:, None, None, None]


def add_noise(x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    return _at(ALPHAS, t).sqrt() * x0 + (1 - _at(ALPHAS, t)).sqrt() * noise


def denoised(xt: Tensor, epsilon: Tensor, t: Tensor) -> Tensor:
    """x₀ from a predicted ε."""
    return (xt - (1 - _at(ALPHAS, t)).sqrt() * epsilon) / _at(ALPHAS, t).sqrt()


def move(xt: Tensor, x0: Tensor, t: Tensor, to: Tensor) -> Tensor:
    """The deterministic step of DDIM (Song et al. 2020, arXiv 2010.02502, equation 12, η = 0) from t to `to`.

    `to` may be −1, which is the clean end where ᾱ is 1.
    """
    epsilon = (xt - _at(ALPHAS, t).sqrt() * x0) / (1 - _at(ALPHAS, t)).sqrt()
    end = torch.where(to >= 0, ALPHAS.to(to.device)[to.clamp_min(0)], torch.ones((), device=to.device))[:, None, None, None]
    return end.sqrt() * x0 + (1 - end).sqrt() * epsilon


def stratified_timesteps(count: int, g: torch.Generator) -> Tensor:
    """One t from each of `count` equal parts of 0..999, in random order: uniform, with less variance a batch."""
    cells = (torch.arange(count) + torch.rand(count, generator=g)) / count * TRAINED
    return cells.long().clamp_max(TRAINED - 1)[torch.randperm(count, generator=g)]


def min_snr(t: Tensor, gamma: float) -> Tensor:
    """The loss weight min(SNR, γ)/SNR for ε (Hang et al. 2023, arXiv 2303.09556, section 3.4)."""
    snr = (ALPHAS / (1 - ALPHAS)).to(t.device)[t]
    return snr.clamp_max(gamma) / snr


def trailing(steps: int) -> Tensor:
    """The timesteps of a few-step model, its first being 999 (Lin et al. 2023, arXiv 2305.08891, section 3.3)."""
    return torch.tensor([round(TRAINED - k * TRAINED / steps) - 1 for k in range(steps)])
