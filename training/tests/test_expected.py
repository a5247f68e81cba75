"""Expectations are judged by the numbers, whichever way they fall."""

from __future__ import annotations

from pocket import expected


def row(model: str, steps: int, retrieval: float, **more: float) -> dict:
    return {"model": model, "steps": steps, "retrieval": retrieval, "frechet": 1.0, **more}


BASE = [row("base", 50, 0.8), row("base", 2, 0.4), row("base", 1, 0.02)]


def test_what_holds_and_what_does_not() -> None:
    rows = [*BASE, row("lightning-4step", 4, 0.7), row("lightning-1step", 1, 0.65, frechet=2.0),
            row("lightning-1step, squared error alone", 1, 0.6, frechet=3.0),
            row("custom + lightning-4step-lora", 4, 0.5, to_teacher=0.2, to_custom=0.3)]
    found = {verdict.expected: (verdict.found, verdict.holds) for verdict in expected.verdicts(rows)}
    assert found["Lightning at 4 steps: at least 90 % of the teacher's retrieval"] == ("87%", False)
    assert found["Lightning at 1 step: at least 75 % of the teacher's retrieval"] == ("81%", True)
    assert found["the base itself at 2 steps: under 60 % of it"] == ("50%", True)
    assert found["the adversarial phase at 1 step: a smaller Fréchet distance"] == ("3 → 2", True)
    assert found["custom + lightning-4step-lora: keeps the custom look, nearer to custom than to base"] == ("0.3 against 0.2", False)


def test_only_what_was_measured_is_judged() -> None:
    assert len(expected.verdicts(BASE)) == 2
    assert expected.table(BASE).count("\n") == 3
