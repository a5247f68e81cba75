"""Every later stage runs from its beginning to its picture, and the whole family is exported and measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pocket import base, clip_scorer, config, custom, distill, export, family, lcm_lora, metrics, polish, preview, turbo
from pocket.workers import Workers


@pytest.fixture(scope="module", autouse=True)
def trained() -> None:
    if not base.RELEASE.exists():
        base.train("cpu", Workers(1))
        base.train("cpu", Workers(1), decay=2)
    polish.train("cpu", limit=1)
    clip_scorer.train("cpu", limit=2)
    preview.train("cpu", limit=2)
    custom.train("cpu", limit=2)
    lcm_lora.train("cpu", limit=2)
    turbo.train("cpu", limit=1)


def test_stages_leave_logs_and_pictures() -> None:
    for name in ("custom", "lcm-lora", "turbo", "preview", "polish"):
        assert (config.WORK / "pictures" / f"{name}.png").exists()
    for name in ("clip-scorer", "tiny-autoencoder", "custom", "lcm-lora", "turbo", "polish"):
        lines = [json.loads(line) for line in (config.WORK / "logs" / f"{name}.jsonl").read_text().splitlines()]
        assert all(value == value for line in lines for value in line.values() if isinstance(value, float))


def test_the_family_is_exported(tmp_path: Path) -> None:
    export.family(tmp_path)
    lora = load_file(tmp_path / "lcm_lora.safetensors")
    assert any(key == "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight" for key in lora)
    assert {tensor.dtype for tensor in lora.values()} == {torch.float16}
    assert any(key.startswith("model.diffusion_model.input_blocks.0.0.") for key in load_file(tmp_path / "custom.safetensors"))
    assert (tmp_path / "clip" / "vocab.json").exists()
    assert set(json.loads((tmp_path / "latent_rgb.json").read_text())) == {"factors", "bias", "mean_absolute_error"}


def test_metrics_of_every_member(monkeypatch: pytest.MonkeyPatch) -> None:
    all_steps = family.members
    monkeypatch.setattr(family, "members", lambda *given: [replace(member, steps=member.steps[-1:]) for member in all_steps(*given)])
    real, first, *others = metrics.measure("cpu", 8, workers=1)
    assert (real["model"], first["model"]) == ("real pictures", "base")
    assert len(others) == len(all_steps("cpu", base.opened("cpu"))) - 1
    for row in others:
        assert 0 <= row["retrieval"] <= 1
        assert ("to_teacher" in row) == (row["model"] != "turbo"), "latents of another size have no distance"


def test_boundary_condition_of_consistency() -> None:
    skip, out = lcm_lora.boundary(torch.tensor([0]))
    assert skip.item() == 1 and out.item() == 0


def test_a_lora_changes_nothing_before_it_is_trained() -> None:
    teacher = base.opened("cpu")
    adapted = distill.with_lora(teacher.unet, 4, "cpu").eval()
    told = base.conditioning(teacher, ["red apple"])
    x, t = torch.zeros(1, 4, 16, 16), torch.tensor([10])
    with torch.no_grad():
        assert torch.equal(family.sampling.predict(adapted, x, t, told), family.sampling.predict(teacher.unet, x, t, told))
