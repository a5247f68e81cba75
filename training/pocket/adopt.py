"""A work folder made out of the published family, so that a training goes on where its checkpoints are lost.

Stages open what they need from checkpoints in the work folder. This writes those checkpoints from `models/pocket`:
float16 rounds away less than one more step of training changes. Optimizers begin anew. The pictures and latents of
`cache` are not published; that stage makes them again in minutes, and bit by bit the same latents need the same VAE,
which is why the base can be trained on.

    python -m pocket.adopt                  what is published; finished stages count as done
    python -m pocket.adopt --keep start     a base that is still in training, into training/start: to go on elsewhere
    python -m pocket.adopt --from start     goes on from there: VAE and tokenizers are done, the base is not
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from peft.utils import set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTextModel, CLIPTextModelWithProjection

from . import base, clip_scorer, config, distill, export, layouts, lightning, preview, stages, tokenizer, vae
from .loop import load, save


UNFINISHED = "unfinished.json"
"""Beside a base that is still in training: how far it has come."""


def keep(target: Path) -> None:
    """Writes the running base's averaged weights, with the VAE and the tokenizers, in the published layout."""
    export.base_folder(target / "base", base.opened("cpu", release=False))
    state = load(base.CHECKPOINT)
    (target / UNFINISHED).write_text(json.dumps({key: state[key] for key in ("step", "seen", "pictures")}, indent=2) + "\n")


def averaged(model: nn.Module) -> dict:
    return {"count": 1000, "shadow": model.state_dict()}


def adopt_base(source: Path) -> UNet2DConditionModel:
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(source / "base" / name, tokenizer.FOLDER / name, dirs_exist_ok=True)
    stages.finish("tokenizer")
    autoencoder = AutoencoderKL.from_pretrained(source / "base" / "vae", torch_dtype=torch.float32)
    steps = config.load().vae.steps
    save(vae.CHECKPOINT, {"step": steps, "model": autoencoder.state_dict(), "average": averaged(autoencoder), "done": True})
    stages.finish("vae")
    unet = UNet2DConditionModel.from_pretrained(source / "base" / "unet", torch_dtype=torch.float32)
    first = CLIPTextModel.from_pretrained(source / "base" / "text_encoder", dtype=torch.float32)
    second = CLIPTextModelWithProjection.from_pretrained(source / "base" / "text_encoder_2", dtype=torch.float32)
    parts = (unet, first, second)
    unfinished = source / UNFINISHED
    at = json.loads(unfinished.read_text()) if unfinished.exists() else {"step": 0, "seen": 0, "pictures": 0}
    state = {**at, "models": [part.state_dict() for part in parts], "averages": [averaged(part) for part in parts]}
    save(base.CHECKPOINT, state)
    if not unfinished.exists():
        save(base.RELEASE, state)
        stages.finish("base")
    return unet


def adopt_student(name: str, weights: dict[str, Tensor]) -> None:
    weights = {key: value.float() for key, value in weights.items()}
    save(distill.checkpoint(name), {"step": 0, "done": True, "student": weights, "average": {"count": 1000, "shadow": weights}})
    stages.finish(name)


def adopt_lora(name: str, path: Path, unet: UNet2DConditionModel, rank: int) -> None:
    adapted = distill.with_lora(unet, rank, "cpu")
    # Underscores are ambiguous in kohya's names: the model's own names say which are dots.
    modules = {module.replace(".", "_"): module for module, _ in unet.named_modules()}
    state = {}
    for key, value in load_file(path).items():
        if match := re.match(r"lora_unet_(.+)\.lora_(down|up)\.weight$", key):
            state[f"{modules[match[1]]}.lora_{'A' if match[2] == 'down' else 'B'}.weight"] = value.float()
    set_peft_model_state_dict(adapted, state)
    adopt_student(name, adapted.state_dict())


def adopt(source: Path) -> list[str]:
    """Returns the names of the students that were there."""
    settings = config.load()
    unet = adopt_base(source)
    found: list[str] = []

    def each(name: str, path: Path, take) -> None:
        if path.exists():
            take(name, path)
            found.append(name)

    def full(name: str, path: Path) -> None:
        adopt_student(name, load_file(path))

    def single(name: str, path: Path) -> None:
        names = {layouts.ldm_unet_key(key, settings.unet.layers): key for key in unet.state_dict()}
        prefix = "model.diffusion_model."
        adopt_student(name, {names[key.removeprefix(prefix)]: value for key, value in load_file(path).items() if key.startswith(prefix)})

    each("custom", source / "custom.safetensors", single)
    for plan in lightning.PLANS:
        suffix = "_x0" if plan.prediction == "sample" else ""
        each(lightning.name(plan, False), source / f"lightning_{plan.steps}step_unet{suffix}.safetensors", full)
        each(lightning.name(plan, True), source / f"lightning_{plan.steps}step_lora.safetensors",
             lambda name, path: adopt_lora(name, path, unet, settings.lightning.rank))
    each("turbo", source / "turbo_unet.safetensors", full)
    each("lcm-lora", source / "lcm_lora.safetensors", lambda name, path: adopt_lora(name, path, unet, settings.lcm.rank))
    for name, path, kind, checkpoint in (("clip-scorer", source / "clip", CLIPModel, clip_scorer.CHECKPOINT),
                                         ("preview", source / "tiny_autoencoder", AutoencoderTiny, preview.CHECKPOINT)):
        if path.exists():
            model = kind.from_pretrained(path).float()
            save(checkpoint, {"step": 0, "done": True, "model": model.state_dict(), "average": averaged(model)})
            stages.finish(name)
            found.append(name)
    return found


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--from", dest="source", type=Path, default=config.MODELS, help="default: models/pocket")
    arguments.add_argument("--keep", type=Path, metavar="FOLDER", help="write the base in training there instead")
    given = arguments.parse_args()
    if given.keep:
        keep(given.keep)
    else:
        for adopted in adopt(given.source):
            print(adopted)
