"""SDXL's conditioning: two encoders' states side by side, the second's pooled projection, and the sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection


@dataclass
class Conditioning:
    states: Tensor
    """`[batch, tokens, width 1 + width 2]`"""
    pooled: Tensor
    """`[batch, width 2]`"""

    def zeros(self) -> Conditioning:
        """What SDXL feeds for "no negative prompt" (`force_zeros_for_empty_prompt`)."""
        return Conditioning(torch.zeros_like(self.states), torch.zeros_like(self.pooled))

    def where(self, keep: Tensor) -> Conditioning:
        """Zeros in the samples that are not kept."""
        return Conditioning(self.states * keep[:, None, None], self.pooled * keep[:, None])

    def detach(self) -> Conditioning:
        return Conditioning(self.states.detach(), self.pooled.detach())


def second_ids(ids: Tensor, end: int) -> Tensor:
    """The ids as the second tokenizer pads them: 0 after the first end of text."""
    ended = (ids == end).int().cumsum(-1)
    return torch.where((ended - (ids == end).int()) > 0, 0, ids)


def encode(first: CLIPTextModel, second: CLIPTextModelWithProjection, ids: Tensor) -> Conditioning:
    """Of both encoders the states before the last layer, without the final norm; of the second the pooled projection."""
    a = first(ids, output_hidden_states=True).hidden_states[-2]
    b = second(second_ids(ids, second.config.eos_token_id), output_hidden_states=True)
    return Conditioning(torch.cat([a, b.hidden_states[-2]], -1), b.text_embeds)


def time_ids(count: int, size: int, device: str | torch.device) -> Tensor:
    """Original size, crop and target size: the whole picture at `size` pixels."""
    return torch.tensor([[size, size, 0, 0, size, size]], dtype=torch.float32, device=device).repeat(count, 1)
