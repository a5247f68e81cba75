"""The discriminator of SDXL-Lightning (Lin et al. 2024, arXiv 2402.13929, section 3.3), in latent space.

Its backbone is the encoder half and the middle of the frozen teacher U-Net. It knows noisy latents at every noise
level and the prompt, so small heads on its features are enough, and nothing needs to be decoded to pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from .text import Conditioning, time_ids


def encoder_features(unet: UNet2DConditionModel, xt: Tensor, t: Tensor, told: Conditioning, size: int) -> list[Tensor]:
    """The last hidden state of each encoder level before it is downsampled, and the middle's."""
    emb = unet.time_embedding(unet.get_time_embed(xt, t).to(unet.dtype))
    emb = emb + unet.get_aug_embed(emb, told.states, {"text_embeds": told.pooled, "time_ids": time_ids(len(xt), size, xt.device)})
    hidden, features = unet.conv_in(xt), []
    for block in unet.down_blocks:
        if getattr(block, "has_cross_attention", False):
            hidden, states = block(hidden, emb, encoder_hidden_states=told.states)
        else:
            hidden, states = block(hidden, emb)
        features.append(states[-2] if block.downsamplers else states[-1])
    features.append(unet.mid_block(hidden, emb, encoder_hidden_states=told.states))
    return features


SHAKE = 0.1
"""Of a feature's standard deviation, the noise of the R1 penalty."""


class Head(nn.Module):
    """Logits for each place, and one from how the picture's mean feature projects on the prompt's.

    Features are brought to a common size by what they measure on the first real batch, and not by a norm of their own:
    a norm would take out how strong they are, and a blurred picture differs from a sharp one in just that.
    """

    def __init__(self, channels: int, pooled: int, width: int = 64):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.SiLU(),
                                  nn.Conv2d(width, width, 3, padding=1), nn.SiLU())
        self.place = nn.Conv2d(width, 1, 1)
        self.prompt = nn.Linear(pooled, width)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.zeros(channels))

    def measure(self, feature: Tensor) -> None:
        """Takes each channel's mean and deviation from a real batch, once."""
        if not self.deviation.any():
            self.mean.copy_(feature.mean((0, 2, 3)))
            self.deviation.copy_(feature.std((0, 2, 3)).clamp_min(1e-4))

    def forward(self, feature: Tensor, told: Conditioning) -> Tensor:
        # In float32: the penalty compares logits that are close to each other, which bfloat16 would round away.
        with torch.autocast(feature.device.type, enabled=False):
            hidden = self.body((feature.float() - self.mean[:, None, None]) / self.deviation[:, None, None])
            project = (hidden.mean((2, 3)) * self.prompt(told.pooled.float())).sum(1, keepdim=True) / hidden.shape[1] ** 0.5
            return torch.cat([self.place(hidden).flatten(1), project], 1)


class Discriminator(nn.Module):
    """Trainable heads; the backbone is passed in, so that it is in no state dict."""

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        channels = [*unet.config.block_out_channels, unet.config.block_out_channels[-1]]
        pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
        self.heads = nn.ModuleList(Head(c, pooled) for c in channels)

    def forward(self, features: list[Tensor], told: Conditioning) -> list[Tensor]:
        return [head(feature, told) for head, feature in zip(self.heads, features)]


def heads_loss(discriminator: Discriminator, real: list[Tensor], fake: list[Tensor], told: Conditioning, r1: float) -> tuple[Tensor, float]:
    """The logistic loss with an approximate R1 penalty, and the share told apart.

    R1 keeps the logits smooth about real samples. Instead of a gradient's norm it is taken as the logits' change under
    small noise (Lin et al. 2025, arXiv 2501.08316, section 3.4): the same idea without second derivatives.
    """
    real, fake = [feature.detach().float() for feature in real], [feature.detach() for feature in fake]
    for head, feature in zip(discriminator.heads, real):
        head.measure(feature)
    shaken = [feature + SHAKE * feature.std() * torch.randn_like(feature) for feature in real]
    yes, no, near = discriminator(real, told), discriminator(fake, told), discriminator(shaken, told)
    loss = sum(F.softplus(-y).mean() + F.softplus(n).mean() for y, n in zip(yes, no)) / len(yes)
    penalty = sum((y - s).square().mean() for y, s in zip(yes, near)) / len(yes)
    right = sum(((y > 0).float().mean() + (n < 0).float().mean()) / 2 for y, n in zip(yes, no)) / len(yes)
    return loss + r1 * penalty, right.item()


def student_loss(discriminator: Discriminator, fake: list[Tensor], told: Conditioning) -> Tensor:
    """The non-saturating loss: the student wants to be taken for real."""
    return sum(F.softplus(-logits).mean() for logits in discriminator(fake, told)) / len(fake)
