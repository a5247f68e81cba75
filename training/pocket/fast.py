"""The same mathematics, faster on a CPU: GroupNorm in channels_last and plain attention.

PyTorch's backward of `scaled_dot_product_attention` and of GroupNorm in channels_last are slow on CPUs. Neither
replacement adds or renames a parameter, so the weights are those of the published layouts.
"""

from __future__ import annotations

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn


def multiplies_bfloat16(device: str | torch.device) -> bool:
    """Whether the hardware has products of bfloat16. A CPU without AVX-512's or AMX's emulates them, ten times slower."""
    return torch.device(device).type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class _GroupNorm(torch.autograd.Function):
    """GroupNorm as one affine map per (sample, channel): its statistics are sums over space, then over a group."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        batch, channels = x.shape[:2]
        flat = x.permute(0, 2, 3, 1).reshape(batch, -1, channels)
        count = flat.shape[1] * (channels // groups)
        wide = flat.float()
        first = wide.sum(1).view(batch, groups, -1).sum(-1, keepdim=True) / count
        second = (wide * wide).sum(1).view(batch, groups, -1).sum(-1, keepdim=True) / count
        scale = (second - first * first).clamp_min_(0).add_(eps).rsqrt_()
        mean = first.expand(batch, groups, channels // groups).reshape(batch, channels)
        scale = scale.expand(batch, groups, channels // groups).reshape(batch, channels)
        a = scale * weight
        b = bias - mean * a
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.groups, ctx.count = groups, count
        y = torch.addcmul(b.to(x.dtype)[:, None], flat, a.to(x.dtype)[:, None])
        return y.view(batch, *x.shape[2:], channels).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, dy: Tensor):
        x, weight, mean, scale = ctx.saved_tensors
        batch, channels = x.shape[:2]
        flat = x.permute(0, 2, 3, 1).reshape(batch, -1, channels)
        grad = dy.permute(0, 2, 3, 1).reshape(batch, -1, channels)
        s1 = grad.sum(1, dtype=torch.float32)
        s2 = (grad * flat).sum(1, dtype=torch.float32)
        hat = (s2 - mean * s1) * scale

        def over_group(value: Tensor) -> Tensor:
            total = value.view(batch, ctx.groups, -1).sum(-1, keepdim=True) / ctx.count
            return total.expand(batch, ctx.groups, channels // ctx.groups).reshape(batch, channels)

        m1, m2 = over_group(weight * s1), over_group(weight * hat)
        of_x = -scale * scale * m2
        constant = -scale * m1 - of_x * mean
        dx = torch.addcmul(constant.to(x.dtype)[:, None], grad, (scale * weight).to(x.dtype)[:, None])
        dx = dx.addcmul_(flat, of_x.to(x.dtype)[:, None])
        dx = dx.view(batch, *x.shape[2:], channels).permute(0, 3, 1, 2)
        return dx, hat.sum(0), s1.sum(0), None, None


class GroupNorm(nn.GroupNorm):
    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            return super().forward(x)
        return _GroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)


def quicken(model: nn.Module, device: str) -> nn.Module:
    """Switches a diffusers or transformers model to the CPU's fast paths; on other devices changes nothing."""
    if not device.startswith("cpu"):
        return model
    for module in model.modules():
        if type(module) is nn.GroupNorm:
            module.__class__ = GroupNorm
    if hasattr(model, "set_attn_processor"):
        model.set_attn_processor(AttnProcessor())
    return model.to(memory_format=torch.channels_last) if any(p.dim() == 4 for p in model.parameters()) else model
