"""The exported family opens in diffusers and makes the same pictures as the training code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from pocket import base, config, distill, export, layouts, sampling, vae
from pocket.loop import generator
from pocket.workers import Workers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not base.RELEASE.exists():
        base.train("cpu", Workers(1))
        base.train("cpu", Workers(1), decay=2)
    target = tmp_path_factory.mktemp("models")
    export.family(target)
    return target


def test_the_folder_opens_in_diffusers_and_makes_the_same_latents(folder: Path) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder / "base", torch_dtype=torch.float32, add_watermarker=False)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn((1, 4, 16, 16), generator=generator(8, 0))
    theirs = pipeline("red apple, beach", num_inference_steps=4, guidance_scale=4.0, latents=noise.clone(), height=128, width=128,
                      output_type="latent").images
    model = base.Model(pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2)
    told = base.conditioning(model, ["red apple, beach"])
    for part in model.parts:
        part.float()
    with torch.autocast("cpu", enabled=False):
        original, sampling.autocast = sampling.autocast, lambda _: torch.autocast("cpu", enabled=False)
        try:
            ours = sampling.sample(model.unet, told, noise, 4, 4.0)
        finally:
            sampling.autocast = original
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_published_names_shapes_and_configs(folder: Path) -> None:
    text = load_file(folder / "base" / "text_encoder" / "model.safetensors")
    assert all(key.startswith("text_model.") for key in text)
    assert "text_projection.weight" in load_file(folder / "base" / "text_encoder_2" / "model.safetensors")
    unet = json.loads((folder / "base" / "unet" / "config.json").read_text())
    assert unet["norm_num_groups"] == 32
    assert unet["attention_head_dim"] == [channels // 64 for channels in unet["block_out_channels"]]
    assert json.loads((folder / "base" / "tokenizer_2" / "tokenizer_config.json").read_text())["pad_token"] == "!"


def test_a_single_file_opens_in_diffusers_with_the_same_weights(folder: Path, tmp_path: Path) -> None:
    model, settings = base.opened("cpu"), config.load()
    parts = [part.state_dict() for part in (*model.parts, vae.published(vae.opened("cpu")))]
    save_file(layouts.single_file(*parts, settings.unet.layers), tmp_path / "single.safetensors", {"format": "pt"})
    pipeline = StableDiffusionXLPipeline.from_single_file(
        tmp_path / "single.safetensors", config=str(folder / "base"), local_files_only=True, torch_dtype=torch.float16)
    same = StableDiffusionXLPipeline.from_pretrained(folder / "base", torch_dtype=torch.float16)
    for name in ("unet", "text_encoder", "text_encoder_2", "vae"):
        one, other = getattr(pipeline, name).state_dict(), getattr(same, name).state_dict()
        assert one.keys() == other.keys()
        for key in one:
            assert torch.equal(one[key], other[key]), f"{name} {key}"


def test_the_published_vae_has_sdxls_factor_and_the_same_latents() -> None:
    own, published = vae.opened("cpu"), vae.published(vae.opened("cpu"))
    assert published.config.scaling_factor == 0.13025 != own.config.scaling_factor
    picture = torch.rand((1, 3, 64, 64), generator=generator(8, 1)) * 2 - 1
    with torch.no_grad():
        scaled = [model.encode(picture).latent_dist for model in (own, published)]
        for part in ("mean", "std"):
            one, other = (getattr(found, part) * model.config.scaling_factor for found, model in zip(scaled, (own, published)))
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        latents = scaled[0].mean * own.config.scaling_factor
        one, other = (model.decode(latents / model.config.scaling_factor).sample for model in (own, published))
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_an_exported_lora_does_in_diffusers_what_it_did_in_training(folder: Path, tmp_path: Path) -> None:
    teacher, settings = base.opened("cpu"), config.load()
    adapted = distill.with_lora(teacher.unet, settings.lightning.rank, "cpu").eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.02, generator=torch.Generator().manual_seed(len(name)))
    save_file(layouts.kohya_lora(distill.lora_state(adapted), settings.lightning.rank), tmp_path / "lora.safetensors", {"format": "pt"})
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder / "base", torch_dtype=torch.float32)
    pipeline.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    told = base.conditioning(teacher, ["red apple"])
    x, t = torch.randn((1, 4, 16, 16), generator=generator(8, 1)), torch.tensor([500])
    with torch.no_grad():
        without = sampling.predict(teacher.unet, x, t, told)
        ours, theirs = sampling.predict(adapted, x, t, told), sampling.predict(pipeline.unet, x, t, told)
    # The LoRA must matter, and float16 is all that may differ.
    assert (ours - without).abs().mean() > 20 * (ours - theirs).abs().mean()


def test_sdxls_own_key_names() -> None:
    assert layouts.ldm_unet_key("down_blocks.1.resnets.0.conv_shortcut.weight", 2) == "input_blocks.4.0.skip_connection.weight"
    assert layouts.ldm_unet_key("down_blocks.0.downsamplers.0.conv.bias", 2) == "input_blocks.3.0.op.bias"
    assert layouts.ldm_unet_key("up_blocks.0.upsamplers.0.conv.weight", 2) == "output_blocks.2.2.conv.weight"
    assert layouts.ldm_unet_key("mid_block.resnets.1.norm1.weight", 2) == "middle_block.2.in_layers.0.weight"
    assert layouts.ldm_unet_key("add_embedding.linear_2.bias", 2) == "label_emb.0.2.bias"
