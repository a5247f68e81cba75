"""Random SDXL models of other widths, depths and head counts, small enough to be committed, as diffusers folders.

Command: python tests/goldens/tiny.py     (written: data/goldens/tiny-{deep,sharded,variant,sdxl}; run tokenizer.py first)

| folder       | what is unusual                                                                                      |
|--------------|------------------------------------------------------------------------------------------------------|
| tiny-deep    | fp16; 2 layers a block, transformers 1-2-3 deep, heads of unequal width, `text_model.` prefix as published, eos_token_id 2 |
| tiny-sharded | fp32; 2 blocks, U-Net in shards with an index, v-prediction, zero terminal SNR, trailing                |
| tiny-sdxl    | nothing: SDXL's own rules (heads of 64, 32 groups, its scaling factor), so that shapes alone tell it     |
| tiny-variant | files named `*.fp16.safetensors` only, all blocks attend, linspace, `force_zeros_for_empty_prompt` false |
"""

import json
import shutil

import torch
from common import GOLDENS, deterministic
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

TOKENIZERS = GOLDENS / "tokenizers"
SDXL_SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)


def vivid(model, generator):
    """Away from the defaults that hide mistakes: norms of weight 1 and bias 0, biases of 0."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.data = 1 + 0.2 * noise
        elif parameter.ndim == 1:
            parameter.data = 0.1 * noise
        else:
            fan_in = parameter[0].numel()
            parameter.data = noise * (0.05 if "embed" in name and "time" not in name else fan_in**-0.5)
    return model.eval()


def text(kind, generator, vocab, **config):
    bos, eos = vocab - 2, vocab - 1
    config = {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": eos} | config
    return vivid(kind(CLIPTextConfig(vocab_size=vocab, max_position_embeddings=77, **config)), generator)


def pipeline(seed, unet, vae, text_1, text_2, scheduler, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    tokenizers = [CLIPTokenizer.from_pretrained(TOKENIZERS / name) for name in ("tokenizer", "tokenizer_2")]
    vocab = len(tokenizers[0])
    depth = len(unet["block_out_channels"])
    unet = dict(sample_size=16, use_linear_projection=True, addition_embed_type="text_time", **unet)
    unet["cross_attention_dim"] = text_1["hidden_size"] + text_2["hidden_size"]
    unet["projection_class_embeddings_input_dim"] = text_2["projection_dim"] + 6 * unet["addition_time_embed_dim"]
    vae = dict(down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, latent_channels=4, **vae)
    assert depth == len(unet["down_block_types"])
    return StableDiffusionXLPipeline(
        unet=vivid(UNet2DConditionModel(**unet), generator),
        vae=vivid(AutoencoderKL(**vae), generator),
        text_encoder=text(CLIPTextModel, generator, vocab, **text_1),
        text_encoder_2=text(CLIPTextModelWithProjection, generator, vocab, **text_2),
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        scheduler=EulerDiscreteScheduler(**SDXL_SCHEDULE, **scheduler),
        add_watermarker=False,
        **kwargs,
    )


def deep():
    return pipeline(
        1,
        unet=dict(
            block_out_channels=[8, 16, 24],
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            layers_per_block=2,
            transformer_layers_per_block=[1, 2, 3],
            attention_head_dim=[1, 2, 4],
            norm_num_groups=4,
            addition_time_embed_dim=8,
        ),
        vae=dict(block_out_channels=[8, 8, 16, 16], layers_per_block=2, norm_num_groups=4, scaling_factor=0.5),
        text_1=dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3, hidden_act="quick_gelu", eos_token_id=2),
        text_2=dict(hidden_size=20, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, hidden_act="gelu", projection_dim=14, eos_token_id=2),
        scheduler=dict(timestep_spacing="leading"),
    )


def sharded():
    return pipeline(
        2,
        unet=dict(
            block_out_channels=[8, 16],
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
            layers_per_block=1,
            transformer_layers_per_block=[1, 2],
            attention_head_dim=[1, 4],
            norm_num_groups=8,
            addition_time_embed_dim=6,
        ),
        vae=dict(block_out_channels=[4, 8, 8, 12], layers_per_block=1, norm_num_groups=2, scaling_factor=0.13025),
        text_1=dict(hidden_size=8, intermediate_size=12, num_hidden_layers=3, num_attention_heads=2, hidden_act="gelu"),
        text_2=dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, hidden_act="quick_gelu", projection_dim=16),
        scheduler=dict(timestep_spacing="trailing", prediction_type="v_prediction", rescale_betas_zero_snr=True),
    )


def variant():
    return pipeline(
        3,
        unet=dict(
            block_out_channels=[12, 12, 24],
            down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            layers_per_block=1,
            transformer_layers_per_block=[2, 1, 1],
            attention_head_dim=[3, 2, 4],
            norm_num_groups=3,
            addition_time_embed_dim=10,
        ),
        vae=dict(block_out_channels=[6, 6, 12, 12], layers_per_block=3, norm_num_groups=3, scaling_factor=0.2),
        text_1=dict(hidden_size=18, intermediate_size=30, num_hidden_layers=4, num_attention_heads=3, hidden_act="quick_gelu"),
        text_2=dict(hidden_size=12, intermediate_size=30, num_hidden_layers=2, num_attention_heads=1, hidden_act="gelu", projection_dim=22),
        scheduler=dict(timestep_spacing="linspace"),
        force_zeros_for_empty_prompt=False,
    )


def sdxl():
    return pipeline(
        4,
        unet=dict(
            block_out_channels=[32, 64, 64],
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            layers_per_block=2,
            transformer_layers_per_block=[1, 1, 1],
            attention_head_dim=[1, 1, 1],
            norm_num_groups=32,
            addition_time_embed_dim=8,
        ),
        vae=dict(block_out_channels=[32, 32, 32, 32], layers_per_block=1, norm_num_groups=32, scaling_factor=0.13025),
        text_1=dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=1, hidden_act="quick_gelu", eos_token_id=2),
        text_2=dict(hidden_size=128, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu", projection_dim=16, eos_token_id=2),
        scheduler=dict(timestep_spacing="leading"),
    )


def save(name, pipe, dtype, **kwargs):
    folder = GOLDENS / name
    shutil.rmtree(folder, ignore_errors=True)
    pipe.to(dtype).save_pretrained(folder, **kwargs)
    # In place of what transformers 5 writes: the files that published folders hold.
    for tokenizer in ("tokenizer", "tokenizer_2"):
        shutil.rmtree(folder / tokenizer)
        shutil.copytree(TOKENIZERS / tokenizer, folder / tokenizer)
    for config in folder.rglob("*.json"):
        rows = json.loads(config.read_text())
        rows.pop("_name_or_path", None)
        if config.parent.name.startswith("tokenizer"):
            continue
        config.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    return folder


def prefix_text_models(folder):
    """transformers 5 leaves `text_model.` out; every published file has it."""
    for part in ("text_encoder", "text_encoder_2"):
        path = folder / part / "model.safetensors"
        weights = load_file(path)
        rename = lambda key: key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}"
        save_file({rename(key): value for key, value in weights.items()}, path, metadata={"format": "pt"})


def main():
    deterministic()
    prefix_text_models(save("tiny-deep", deep(), torch.float16))
    prefix_text_models(save("tiny-sdxl", sdxl(), torch.float16))
    folder = save("tiny-sharded", sharded(), torch.float32, max_shard_size="120KB")
    save("tiny-variant", variant(), torch.float16, variant="fp16")
    assert (folder / "unet/diffusion_pytorch_model.safetensors.index.json").exists()
    for name in ("tiny-deep", "tiny-sharded", "tiny-variant", "tiny-sdxl"):
        size = sum(path.stat().st_size for path in (GOLDENS / name).rglob("*") if path.is_file())
        print(f"{name}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
