"""Final weights in the layouts in which SDXL and its children are published, float16, under `models/pocket/`.

    base/                                     a diffusers folder
    custom.safetensors                        a single file with all parts
    lightning_{2,4,8}step_unet.safetensors    bare U-Nets; lightning_1step_unet_x0.safetensors predicts x₀
    lightning_{2,4,8}step_lora.safetensors    LoRAs in kohya's names, as is lcm_lora.safetensors
    turbo_unet.safetensors                    a bare U-Net for base/
    tiny_autoencoder/, clip/                  folders; latent_rgb.json: the linear preview

Each part is written when its training has finished; the single-file and bare forms of one model hold the same weights,
so only one of the two is stored, and a test builds the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from diffusers import EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from . import base, clip_scorer, config, distill, lcm_lora, layouts, lightning, preview, stages, tokenizer, vae

FORMAT = {"format": "pt"}


def scheduler() -> EulerDiscreteScheduler:
    """SDXL's: scaled linear betas, leading spacing with an offset of 1."""
    return EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
                                  prediction_type="epsilon", timestep_spacing="leading", steps_offset=1)


def pipeline(model: base.Model) -> StableDiffusionXLPipeline:
    first, second = tokenizer.opened()
    return StableDiffusionXLPipeline(vae=vae.published(vae.opened("cpu")), text_encoder=model.first, text_encoder_2=model.second, tokenizer=first,
                                     tokenizer_2=second, unet=model.unet, scheduler=scheduler(), force_zeros_for_empty_prompt=True,
                                     add_watermarker=False)


def base_folder(target: Path, model: base.Model) -> None:
    shutil.rmtree(target, ignore_errors=True)
    pipeline(model).to(torch.float16).save_pretrained(target, safe_serialization=True)
    for name in ("text_encoder", "text_encoder_2"):
        path = target / name / "model.safetensors"
        save_file(layouts.half(layouts.published_text(load_file(path))), path, FORMAT)
    for name in ("tokenizer", "tokenizer_2"):
        shutil.rmtree(target / name)
        shutil.copytree(tokenizer.FOLDER / name, target / name)


def resolution() -> dict[str, str]:
    """What a single file, which has no config, says of its size: Stability AI's ModelSpec, as in SDXL's own file."""
    size = config.load().vae.size
    return {"modelspec.resolution": f"{size}x{size}"}


def unet_weights(path: Path) -> layouts.Weights:
    return load_file(path / "unet" / "diffusion_pytorch_model.safetensors")


def write(path: Path, weights: layouts.Weights, **metadata: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(layouts.half(weights), path, {**FORMAT, **metadata})


def family(target: Path) -> list[Path]:
    """Writes what has been trained; returns the paths written."""
    model = base.opened("cpu")
    settings = config.load()
    written: list[Path] = []

    def put(name: str, weights: layouts.Weights, **metadata: str) -> None:
        write(target / name, weights, **metadata)
        written.append(target / name)

    base_folder(target / "base", model)
    written.append(target / "base")
    plain = model.unet
    if distill.finished("custom"):
        put("custom.safetensors", layouts.single_file(
            distill.opened("custom", plain).state_dict(), model.first.state_dict(), model.second.state_dict(),
            vae.published(vae.opened("cpu")).state_dict(), settings.unet.layers), **resolution())
    for plan in lightning.PLANS:
        suffix = "_x0" if plan.prediction == "sample" else ""
        if distill.finished(lightning.name(plan, lora=False)):
            put(f"lightning_{plan.steps}step_unet{suffix}.safetensors", distill.opened(lightning.name(plan, lora=False), plain).state_dict())
        if distill.finished(lightning.name(plan, lora=True)):
            adapter = distill.lora_of(lightning.name(plan, lora=True), plain, settings.lightning.rank)
            put(f"lightning_{plan.steps}step_lora.safetensors", layouts.kohya_lora(adapter, settings.lightning.rank))
    if distill.finished("turbo"):
        put("turbo_unet.safetensors", distill.opened("turbo", plain).state_dict())
    if distill.finished(lcm_lora.NAME):
        put("lcm_lora.safetensors", layouts.kohya_lora(distill.lora_of(lcm_lora.NAME, plain, settings.lcm.rank), settings.lcm.rank))
    if preview.CHECKPOINT.exists():
        preview.opened("cpu").half().save_pretrained(target / "tiny_autoencoder")
        shutil.copy(preview.FACTORS, target / "latent_rgb.json")
        written += [target / "tiny_autoencoder", target / "latent_rgb.json"]
    if clip_scorer.CHECKPOINT.exists():
        clip_scorer.opened("cpu").half().save_pretrained(target / "clip")
        shutil.copytree(tokenizer.FOLDER / "tokenizer", target / "clip", dirs_exist_ok=True)
        (target / "clip" / "preprocessor_config.json").write_text(json.dumps(clip_scorer.preprocessor(), indent=2) + "\n")
        written.append(target / "clip")
    return written


def hashes(target: Path) -> dict[str, dict]:
    """Size and SHA-256 of each file of weights."""
    return {str(path.relative_to(target)): {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in sorted(target.rglob("*.safetensors"))}


def turbo_scheduler() -> EulerAncestralDiscreteScheduler:
    return EulerAncestralDiscreteScheduler.from_config(scheduler().config, timestep_spacing="trailing")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu", help="makes no difference here")
    arguments.add_argument("--to", type=Path, default=config.MODELS)
    given = arguments.parse_args()
    for path in family(given.to):
        print(path.name)
    (given.to / "hashes.json").write_text(json.dumps(hashes(given.to), indent=2) + "\n")
    stages.finish("export")
