"""Key names: from diffusers' and transformers' modules to the layouts in which SDXL's weights are published.

Single files ("ldm" names) hold U-Net, text encoders and VAE together; the second encoder is OpenCLIP's. LoRA files
have kohya's names around diffusers' block names.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

Weights = dict[str, Tensor]


def half(weights: Weights) -> Weights:
    return {key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in weights.items()}


def published_text(weights: Weights) -> Weights:
    """transformers 5 leaves `text_model.` away where the published files have it, and keeps a buffer that they don't."""
    found = {}
    for key, value in weights.items():
        if key.endswith("position_ids"):
            continue
        bare = key.removeprefix("text_model.")
        found[bare if bare.startswith("text_projection") else f"text_model.{bare}"] = value
    return found


RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
UNET_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
             "add_embedding.linear_2": "label_emb.0.2", "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}


def ldm_unet_key(key: str, layers: int) -> str:
    """One name; `layers` is layers_per_block, 2 in SDXL."""
    for ours, theirs in UNET_ENDS.items():
        if key.startswith(ours + "."):
            return theirs + key.removeprefix(ours)
    side, *rest = key.split(".")
    if side == "mid_block":
        kind, number, *tail = rest
        place = f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}"
    else:
        block, kind, number, *tail = int(rest[0]), *rest[1:]
        if side == "down_blocks":
            index = 1 + block * (layers + 1) + (layers if kind == "downsamplers" else int(number))
            place = f"input_blocks.{index}.{1 if kind == 'attentions' else 0}"
        else:
            index = block * (layers + 1) + (layers if kind == "upsamplers" else int(number))
            # The upsampler follows the attention where there is one: the last up block has neither.
            place = f"output_blocks.{index}.{ {'resnets': 0, 'attentions': 1, 'upsamplers': 2}[kind]}"
    if kind == "resnets":
        tail = [RESNET[tail[0]], *tail[1:]]
    elif kind == "downsamplers":
        tail = ["op", *tail[1:]]
    return ".".join([place, *tail])


def ldm_vae(weights: Weights) -> Weights:
    found = {}
    levels = 1 + max(int(match[1]) for key in weights if (match := re.match(r"decoder\.up_blocks\.(\d+)", key)))
    for key, value in weights.items():
        key = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", key)
        key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", key)
        key = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", key)
        key = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", key)
        key = re.sub(r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
        if "mid_block.attentions.0" in key:
            key = key.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm").replace("to_out.0", "proj_out")
            key = re.sub(r"\.to_([qkv])\.", r".\1.", key)
            value = value[..., None, None] if value.dim() == 2 else value
        found[key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")] = value
    return found


OPENCLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}


def openclip_text(weights: Weights) -> Weights:
    """The second encoder: q, k and v in one matrix, the projection transposed and without `.weight`."""
    weights = published_text(weights)
    found: Weights = {"text_projection": weights["text_projection.weight"].T}
    for key, value in weights.items():
        key = key.removeprefix("text_model.")
        if "self_attn" in key and "q_proj" in key:
            layer, tail = re.match(r"encoder\.layers\.(\d+)\.self_attn\.q_proj\.(\w+)", key).groups()
            parts = [weights[f"text_model.encoder.layers.{layer}.self_attn.{p}_proj.{tail}"] for p in "qkv"]
            found[f"transformer.resblocks.{layer}.attn.in_proj_{tail}"] = torch.cat(parts)
        elif match := re.match(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$", key):
            if match[2] in OPENCLIP:
                found[f"transformer.resblocks.{match[1]}.{OPENCLIP[match[2]]}.{match[3]}"] = value
    found["token_embedding.weight"] = weights["text_model.embeddings.token_embedding.weight"]
    found["positional_embedding"] = weights["text_model.embeddings.position_embedding.weight"]
    for tail in ("weight", "bias"):
        found[f"ln_final.{tail}"] = weights[f"text_model.final_layer_norm.{tail}"]
    found["logit_scale"] = torch.tensor(4.6052)
    return found


def single_file(unet: Weights, first: Weights, second: Weights, vae: Weights, layers: int) -> Weights:
    return half({
        **{f"model.diffusion_model.{ldm_unet_key(key, layers)}": value for key, value in unet.items()},
        **{f"conditioner.embedders.0.transformer.{key}": value for key, value in published_text(first).items()},
        **{f"conditioner.embedders.1.model.{key}": value for key, value in openclip_text(second).items()},
        **{f"first_stage_model.{key}": value for key, value in ldm_vae(vae).items()},
    })


def kohya_lora(adapter: Weights, alpha: float) -> Weights:
    """From PEFT's lora_A and lora_B to lora_down, lora_up and a scalar alpha a module."""
    found: Weights = {}
    for key, value in adapter.items():
        module, which = re.match(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight$", key).groups()
        name = "lora_unet_" + module.replace(".", "_")
        found[f"{name}.lora_{'down' if which == 'A' else 'up'}.weight"] = value
        found[f"{name}.alpha"] = torch.tensor(float(alpha))
    return half(found)
