from __future__ import annotations

import json

import pytest
import torch

from pocket import base, config, diffusion, distill, lightning, optim
from pocket.fast import GroupNorm
from pocket.loop import load
from pocket.workers import Workers


def forget(*paths) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def test_group_norm_agrees_with_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = GroupNorm(8, 32, eps=1e-5), torch.nn.GroupNorm(8, 32, eps=1e-5)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        q.data.copy_(p.data.normal_())
    x = (torch.randn(2, 32, 6, 5) * 3 + 1).contiguous(memory_format=torch.channels_last)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.randn(2, 32, 6, 5)
    (ours(a) * weight).sum().backward()
    (theirs(b) * weight).sum().backward()
    torch.testing.assert_close(ours(a), theirs(b), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-3)


def test_muon_makes_updates_nearly_orthogonal() -> None:
    singular = torch.linalg.svdvals(optim.orthogonalise(torch.randn(3, 16, 48, generator=torch.Generator().manual_seed(0))))
    assert singular.min() > 0.5 and singular.max() < 1.4


def test_trailing_timesteps_nest_when_steps_are_halved() -> None:
    assert diffusion.trailing(4).tolist() == [999, 749, 499, 249]
    for plan in lightning.PLANS:
        fine = diffusion.trailing(plan.steps * plan.substeps)
        assert fine[:: plan.substeps].equal(diffusion.trailing(plan.steps))


def test_ddim_moves_along_a_known_path() -> None:
    g = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 4, 8, 8, generator=g), torch.randn(2, 4, 8, 8, generator=g)
    t, to = torch.tensor([999, 500]), torch.tensor([499, -1])
    landed = diffusion.move(diffusion.add_noise(x0, noise, t), x0, t, to)
    torch.testing.assert_close(landed[0], diffusion.add_noise(x0, noise, to.clamp_min(0))[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(landed[1], x0[1], rtol=1e-4, atol=1e-4)


def test_a_resumed_base_equals_a_straight_one() -> None:
    settings = config.load().base
    forget(base.CHECKPOINT)
    settings.steps = 4
    base.train("cpu", Workers(1))
    straight = load(base.CHECKPOINT)
    forget(base.CHECKPOINT)
    settings.steps = 2
    base.train("cpu", Workers(1))
    settings.steps = 4
    base.train("cpu", Workers(1))
    resumed = load(base.CHECKPOINT)
    assert straight["step"] == resumed["step"] == 4
    for a, b in zip(straight["models"], resumed["models"]):
        for key in a:
            assert torch.equal(a[key], b[key]), key


@pytest.fixture(scope="module")
def released() -> None:
    if not base.RELEASE.exists():
        base.train("cpu", Workers(1))
        base.train("cpu", Workers(1), decay=2)


def test_decay_leaves_the_constant_checkpoint(released: None) -> None:
    assert load(base.CHECKPOINT)["step"] == 4 and load(base.RELEASE)["step"] == 6


@pytest.mark.parametrize("lora", [False, True])
def test_every_lightning_stage_runs_all_its_phases(released: None, lora: bool) -> None:
    for plan in lightning.PLANS[: 2 if lora else 4]:
        lightning.train(plan, "cpu", lora, limit=1)
        assert distill.finished(lightning.name(plan, lora))
        lines = [json.loads(line) for line in (config.WORK / "logs" / f"{lightning.name(plan, lora)}.jsonl").read_text().splitlines()]
        assert [line["phase"] for line in lines] == ["mse", "warm", "adversarial"]
        assert distill.pictures_path(f"{lightning.name(plan, lora)}-adversarial").exists()
