"""The tensors of SDXL's published files at their full size: how many, and a digest of their names and shapes.

Command: python tests/goldens/published.py     (written: data/goldens/published.json)

Models of stabilityai/stable-diffusion-xl-base-1.0's configs are built by diffusers and transformers on the meta device;
names in the original layout come from layouts.py, whose rows diffusers' loader judges on a small model. The LoRA is
ByteDance's Lightning LoRA: kohya's prefix before diffusers' names, rank 64, alphas in float16, every layer within the
blocks. Its published file has 393,854,592 bytes, which this list must come to within the header's freedom.
"""

import hashlib
import re

import torch
from common import save_json
from diffusers import AutoencoderKL, UNet2DConditionModel
from layouts import rows
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

RANK = 64
LORA_BYTES = 393_854_592
ADAPTED = re.compile(
    r"(attn[12]\.(to_q|to_k|to_v|to_out\.0)|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2|resnets\.\d\.(conv1|conv2|conv_shortcut|time_emb_proj)|samplers\.0\.conv)\.weight$"
)


def models():
    unet = UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), layers_per_block=2, transformer_layers_per_block=[1, 2, 10],
        attention_head_dim=[5, 10, 20], cross_attention_dim=2048, use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2, latent_channels=4, sample_size=1024, scaling_factor=0.13025,
    )  # fmt: skip
    text = dict(vocab_size=49408, max_position_embeddings=77, eos_token_id=2)
    first = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12, **text))
    second = CLIPTextModelWithProjection(
        CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_attention_heads=20, num_hidden_layers=32, projection_dim=1280, **text)
    )
    return {"unet": unet, "vae": vae, "text_encoder": first, "text_encoder_2": second}


def published(key):
    """transformers 5 leaves `text_model.` out; position_ids are buffers that older files hold."""
    return key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}"


def shape_of(shapes, how):
    first, *inner = shapes[0]
    shape = [first * len(shapes), *inner]
    return {"transpose": shape[::-1], "unsqueeze": [*shape, 1, 1]}.get(how, shape)


def digest(tensors):
    lines = sorted(f"{name} {','.join(map(str, shape))}" for name, shape in tensors.items())
    return {"tensors": len(lines), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}


def main():
    with torch.device("meta"):
        weights = {
            part: {published(key) if part.startswith("text") else key: list(value.shape) for key, value in model.state_dict().items()}
            for part, model in models().items()
        }
    weights = {part: {key: shape for key, shape in of.items() if not key.endswith("position_ids")} for part, of in weights.items()}
    layouts = rows(weights)
    files = {
        name: {file: shape_of([weights[part][k] for k in key.split()], how) for file, part, key, how in layouts[name]}
        for name in ("single-original", "unet-diffusers")
    }
    lora = {}
    for key, (out, *inner) in ((key, shape) for key, shape in weights["unet"].items() if ADAPTED.search(key)):
        module = "lora_unet_" + key.removesuffix(".weight").replace(".", "_")
        lora[f"{module}.lora_down.weight"] = [RANK, *inner]
        lora[f"{module}.lora_up.weight"] = [out, RANK, *(1 for _ in inner[1:])]
        lora[f"{module}.alpha"] = []
    data = sum(2 * torch.Size(shape).numel() for shape in lora.values())
    print(f"LoRA: {len(lora) // 3} modules, {data:,} bytes of data, {LORA_BYTES - data:,} left for the header")
    assert len(lora) == 2364 and 0 < LORA_BYTES - data < 400_000
    save_json("published.json", {"files": {**{name: digest(of) for name, of in files.items()}, "lora": digest(lora)}})
    print(files["single-original"].__len__(), files["unet-diffusers"].__len__())


if __name__ == "__main__":
    main()
