"""How a diffusers folder's tensors are named in the other layouts that SDXL is published in, judged by diffusers.

Command: python tests/goldens/layouts.py     (written: data/goldens/layouts.json; run tiny.py first)

The names are written down here from the original repository's modules, independently of the kit's key maps. Each
layout is built from tiny-sdxl and loaded by diffusers' own single-file loader; only then is its list of names kept:
    {layout: [[name in the file, part, name in the folder, how], ...]}
`how` is "" for the tensor as it is, "transpose", "unsqueeze" (a linear layer stored as a 1×1 convolution), or "fuse"
with the names of three tensors, one below the other.
"""

import json
import re
import tempfile
from pathlib import Path

import torch
from common import GOLDENS, save_json
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

FOLDER = GOLDENS / "tiny-sdxl"
FILES = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
    "text_encoder_2": "text_encoder_2/model.safetensors",
}

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
UNET_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
             "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
             "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}  # fmt: skip


def unet_name(key):
    """SDXL's U-Net: 3 levels of 2 resnets down, of 3 up, as ldm counts them through."""
    for ours, theirs in UNET_ENDS.items():
        if key.startswith(ours + "."):
            return theirs + key[len(ours) :]
    part, rest = re.fullmatch(r"(mid_block|(?:down|up)_blocks\.\d+)\.(.*)", key).groups()
    kind, index, rest = re.fullmatch(r"(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", rest).groups()
    index = int(index)
    if kind == "resnets":
        layer, _, tail = rest.partition(".")
        rest = f"{RESNET[layer]}.{tail}"
    if part == "mid_block":
        return f"middle_block.{ {'resnets': 2 * index, 'attentions': 1}[kind] }.{rest}"
    side, level = part.split(".")
    level = int(level)
    if side == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{3 * level + 3}.0.op.{rest.removeprefix('conv.')}"
        return f"input_blocks.{3 * level + index + 1}.{'resnets attentions'.split().index(kind)}.{rest}"
    if kind == "upsamplers":
        attends = level < 2
        return f"output_blocks.{3 * level + 2}.{2 if attends else 1}.{rest}"
    return f"output_blocks.{3 * level + index}.{'resnets attentions'.split().index(kind)}.{rest}"


def vae_name(key):
    """The autoencoder, 4 levels; the decoder counts them from the picture's side."""
    if key.startswith(("quant_conv", "post_quant_conv")):
        return key, ""
    side, rest = key.split(".", 1)
    rest = rest.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    rest = re.sub(r"^mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", rest)
    rest = re.sub(r"^down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", rest)
    rest = re.sub(r"^down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", rest)
    rest = re.sub(r"^up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", rest)
    rest = re.sub(r"^up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", rest)
    attention = re.fullmatch(r"mid_block\.attentions\.0\.(group_norm|to_q|to_k|to_v|to_out\.0)\.(weight|bias)", rest)
    if not attention:
        return f"{side}.{rest}", ""
    layer = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}[attention[1]]
    how = "unsqueeze" if layer != "norm" and attention[2] == "weight" else ""
    return f"{side}.mid.attn_1.{layer}.{attention[2]}", how


def open_clip_rows(keys):
    """The second text encoder in open_clip's names: q, k and v in one, the projection transposed."""
    plain = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
             "self_attn.out_proj": "attn.out_proj"}  # fmt: skip
    for key in keys:
        if key == "text_projection.weight":
            yield "text_projection", key, "transpose"
        elif key == "text_model.embeddings.position_embedding.weight":
            yield "positional_embedding", key, ""
        elif key == "text_model.embeddings.token_embedding.weight":
            yield "token_embedding.weight", key, ""
        elif key.startswith("text_model.final_layer_norm."):
            yield key.replace("text_model.final_layer_norm", "ln_final"), key, ""
        else:
            layer, module, kind = re.fullmatch(r"text_model\.encoder\.layers\.(\d+)\.(.*)\.(weight|bias)", key).groups()
            if module == "self_attn.q_proj":
                fused = " ".join(key.replace("q_proj", name) for name in ("q_proj", "k_proj", "v_proj"))
                yield f"transformer.resblocks.{layer}.attn.in_proj_{kind}", fused, "fuse"
            elif module in plain:
                yield f"transformer.resblocks.{layer}.{plain[module]}.{kind}", key, ""


def rows(weights):
    """Every layout as rows (name, part, key, how)."""
    unet = [(unet_name(key), "unet", key, "") for key in weights["unet"]]
    vae = [(name, "vae", key, how) for key in weights["vae"] for name, how in [vae_name(key)]]
    text_1 = [(key, "text_encoder", key, "") for key in weights["text_encoder"]]
    text_2 = [(name, "text_encoder_2", key, how) for name, key, how in open_clip_rows(weights["text_encoder_2"])]
    prefixed = lambda prefix, rows: [(prefix + name, *rest) for name, *rest in rows]
    return {
        "single-original": [
            *prefixed("model.diffusion_model.", unet),
            *prefixed("first_stage_model.", vae),
            *prefixed("conditioner.embedders.0.transformer.", text_1),
            *prefixed("conditioner.embedders.1.model.", text_2),
        ],
        "single-diffusers": [(f"{part}.{key}", part, key, "") for part, keys in weights.items() for key in keys],
        "unet-original": unet,
        "unet-diffusers": [(key, "unet", key, "") for key in weights["unet"]],
        "unet-original-prefixed": prefixed("model.diffusion_model.", unet),
        "vae-original": vae,
        "vae-diffusers": [(key, "vae", key, "") for key in weights["vae"]],
    }


def build(rows, weights):
    tensors = {}
    for name, part, key, how in rows:
        tensor = torch.cat([weights[part][k] for k in key.split()])
        tensor = {"transpose": lambda t: t.T, "unsqueeze": lambda t: t[:, :, None, None]}.get(how, lambda t: t)(tensor)
        tensors[name] = tensor.contiguous()
    return tensors


def equal(model, weights):
    state = {re.sub(r"^text_model\.", "", key): value for key, value in model.state_dict().items()}
    wanted = {re.sub(r"^text_model\.", "", key): value for key, value in weights.items()}
    assert state.keys() == wanted.keys(), state.keys() ^ wanted.keys()
    assert all(torch.equal(state[key].float(), wanted[key].float()) for key in wanted)


def judge(name, path, weights):
    """
    diffusers' single-file loader must give the folder's tensors back. It has none for `single-diffusers`, and wants
    the prefix on a U-Net's original names, which judges `unet-original` too: the rows are the same.
    """
    load = dict(config=str(FOLDER), local_files_only=True)
    if name == "single-original":
        pipe = StableDiffusionXLPipeline.from_single_file(path, **load)
        for part in FILES:
            equal(getattr(pipe, part), weights[part])
    elif name in ("unet-diffusers", "unet-original-prefixed"):
        equal(UNet2DConditionModel.from_single_file(path, subfolder="unet", **load), weights["unet"])
    elif name.startswith("vae"):
        equal(AutoencoderKL.from_single_file(path, subfolder="vae", **load), weights["vae"])


def main():
    weights = {part: load_file(FOLDER / file) for part, file in FILES.items()}
    layouts = rows(weights)
    with tempfile.TemporaryDirectory() as folder:
        for name, names in layouts.items():
            path = Path(folder) / f"{name}.safetensors"
            save_file(build(names, weights), path)
            judge(name, str(path), weights)
            print(f"{name}: {len(names)} tensors")
    save_json("layouts.json", {"layouts": layouts})


if __name__ == "__main__":
    main()
