"""What was published is taken up again: the same models, to float16's rounding."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from pocket import adopt, base, config, distill, export, lightning, stages, vae
from pocket.loop import load
from pocket.workers import Workers


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work folder without checkpoints."""
    monkeypatch.setattr(distill, "checkpoint", lambda name: tmp_path / f"{name}.pt")
    for module, name in ((base, "CHECKPOINT"), (base, "RELEASE"), (vae, "CHECKPOINT")):
        monkeypatch.setattr(module, name, tmp_path / getattr(module, name).name)
    monkeypatch.setattr(stages, "FINISHED", tmp_path / "finished")
    return tmp_path


def test_adopted_models_are_the_published_ones(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    if not base.RELEASE.exists():
        base.train("cpu", Workers(1))
        base.train("cpu", Workers(1), decay=2)
    plan, rank = lightning.PLANS[0], config.load().lightning.rank
    if not distill.finished(lightning.name(plan, True)):
        lightning.train(plan, "cpu", True, limit=1)
    published = tmp_path_factory.mktemp("published")
    export.family(published)
    teacher = base.opened("cpu")
    student = distill.opened(lightning.name(plan, True), teacher.unet, rank=rank).state_dict()
    work = request.getfixturevalue("elsewhere")
    assert lightning.name(plan, True) in adopt.adopt(published)
    again = base.opened("cpu")
    for one, other in zip(teacher.parts, again.parts):
        for key, value in one.state_dict().items():
            torch.testing.assert_close(other.state_dict()[key], value, rtol=1e-3, atol=1e-4)
    for key, value in distill.opened(lightning.name(plan, True), again.unet, rank=rank).state_dict().items():
        torch.testing.assert_close(value, student[key], rtol=1e-3, atol=1e-4)
    assert (work / "finished" / "base").exists()
    shutil.rmtree(published)


def test_a_base_in_training_goes_on_elsewhere_from_its_step(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    if not base.CHECKPOINT.exists():
        base.train("cpu", Workers(1))
    kept = tmp_path_factory.mktemp("kept")
    adopt.keep(kept)
    step, average = load(base.CHECKPOINT)["step"], base.opened("cpu", release=False).unet.state_dict()
    work = request.getfixturevalue("elsewhere")
    assert adopt.adopt(kept) == []
    assert not (work / "finished" / "base").exists() and not base.RELEASE.exists()
    assert load(base.CHECKPOINT)["step"] == step
    for key, value in base.opened("cpu", release=False).unet.state_dict().items():
        torch.testing.assert_close(value, average[key], rtol=1e-3, atol=1e-4)
    settings = config.load().base
    monkeypatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setattr(settings, "steps", step + 1)
    base.train("cpu", Workers(1))
    assert load(base.CHECKPOINT)["step"] == step + 1
    shutil.rmtree(kept)
