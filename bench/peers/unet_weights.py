"""A U-Net of SDXL's shape at two fifths of its width, with random weights, as diffusers writes it: unet_weights.py OUT.

128, 256 and 512 channels with 1, 2 and 10 transformer blocks, heads of 64, text of 512 channels: 391 million parameters.
"""

import sys

import torch
from diffusers import UNet2DConditionModel

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=64,
    block_out_channels=(128, 256, 512),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    transformer_layers_per_block=(1, 2, 10),
    attention_head_dim=(2, 4, 8),
    cross_attention_dim=512,
    use_linear_projection=True,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
)
unet.save_pretrained(sys.argv[1])
print(sum(p.numel() for p in unet.parameters()))
