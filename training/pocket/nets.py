"""The architectures: SDXL's own classes and rules, with small numbers.

What a reader may infer from shapes holds: 64 channels a head in the U-Net and in the text encoders, 32 groups in
every norm, a cross dimension that is the sum of two text widths, 4 latent channels at an eighth of the size.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

HEAD = 64
GROUPS = 32
TIME_IDS = 6
"""original height and width, crop top and left, target height and width"""


def vae(config: SimpleNamespace) -> AutoencoderKL:
    levels = len(config.channels)
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=GROUPS, act_fn="silu",
        block_out_channels=config.channels, layers_per_block=config.layers, sample_size=config.size,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        scaling_factor=1.0, force_upcast=False,
    )


def unet(config: SimpleNamespace, text: SimpleNamespace) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=config.size, in_channels=4, out_channels=4, norm_num_groups=GROUPS, layers_per_block=config.layers,
        block_out_channels=config.channels, transformer_layers_per_block=config.depth,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=[channels // HEAD for channels in config.channels],
        cross_attention_dim=text.widths[0] + text.widths[1], use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=config.time_id_channels,
        projection_class_embeddings_input_dim=text.widths[1] + TIME_IDS * config.time_id_channels,
    )


def text_encoders(config: SimpleNamespace, vocabulary: int) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """The second alone has a projection. As in SDXL: quick_gelu, then gelu; begin and end are the last two ids."""
    def settings(index: int, activation: str) -> CLIPTextConfig:
        width = config.widths[index]
        return CLIPTextConfig(
            vocab_size=vocabulary, hidden_size=width, intermediate_size=4 * width, projection_dim=width,
            num_hidden_layers=config.layers[index], num_attention_heads=width // HEAD, max_position_embeddings=77,
            hidden_act=activation, bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=(vocabulary - 1, 0)[index],
            attn_implementation="eager",
        )
    return CLIPTextModel(settings(0, "quick_gelu")), CLIPTextModelWithProjection(settings(1, "gelu"))


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
