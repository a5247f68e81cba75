"""What was expected of the family before it was measured, held against the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CHANCE = 0.01
"""Of finding one caption among 100."""

Row = dict


@dataclass(frozen=True)
class Verdict:
    expected: str
    found: str
    holds: bool


def verdicts(rows: list[Row]) -> list[Verdict]:
    """One for each expectation whose models were measured."""
    by = {(row["model"], row["steps"]): row for row in rows}

    def has(*keys: tuple[str, int]) -> bool:
        return all(key in by for key in keys)

    def of(model: str, steps: int, column: str = "retrieval") -> float:
        return by[model, steps][column]

    def each() -> Iterator[Verdict]:
        teacher = of("base", 50)
        for steps, share in ((4, 0.9), (1, 0.75)):
            if has((full := f"lightning-{steps}step", steps)):
                got = of(full, steps) / teacher
                yield Verdict(f"Lightning at {steps} step{'s' if steps > 1 else ''}: at least {100 * share:g} % of the teacher's retrieval",
                              f"{got:.0%}", got >= share)
        got = of("base", 2) / teacher
        yield Verdict("the base itself at 2 steps: under 60 % of it", f"{got:.0%}", got < 0.6)
        yield Verdict("the base at 1 step: near chance, 1 in 100", f"{of('base', 1):.1%}", of("base", 1) <= 3 * CHANCE)
        ladder = [(f"lightning-{steps}step", steps) for steps in (8, 4, 2, 1)]
        if has(*ladder):
            values = [of(*key) for key in ladder]
            yield Verdict("Lightning: 8 ≥ 4 ≥ 2 ≥ 1 steps", " · ".join(f"{value:.1%}" for value in values), values == sorted(values, reverse=True))
        for steps in (8, 4, 2):
            full, lora = (f"lightning-{steps}step", steps), (f"lightning-{steps}step-lora", steps)
            if has(full, lora):
                got = of(*lora) / of(*full)
                yield Verdict(f"the {steps}-step LoRA: close behind the full model (at least 90 %)", f"{got:.0%}", got >= 0.9)
        lcm = [("lcm-lora", steps) for steps in (8, 4, 2)]
        if has(*lcm):
            values = [of(*key) for key in lcm]
            yield Verdict("LCM-LoRA: wants more steps, 8 ≥ 4 ≥ 2", " · ".join(f"{value:.1%}" for value in values), values == sorted(values, reverse=True))
        for (model, steps), row in by.items():
            if model.startswith("custom +"):
                near, far = row["to_custom"], row["to_teacher"]
                yield Verdict(f"{model}: keeps the custom look, nearer to custom than to base", f"{near:g} against {far:g}", near < far)
        for steps in (8, 4, 2, 1):
            after, before = (f"lightning-{steps}step", steps), (f"lightning-{steps}step, squared error alone", steps)
            if has(after, before):
                one, other = of(*before, "frechet"), of(*after, "frechet")
                yield Verdict(f"the adversarial phase at {steps} step{'s' if steps > 1 else ''}: a smaller Fréchet distance", f"{one:.3g} → {other:.3g}", other < one)

    return list(each())


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| Expected | Measured | |", "|---|---|---|"]
    return "\n".join(lines + [f"| {verdict.expected} | {verdict.found} | {'yes' if verdict.holds else '**no**'} |" for verdict in verdicts(rows)])
