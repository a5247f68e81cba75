"""Logs, thinned, beside the weights: `models/pocket/training/STAGE.json`, from which notebook 08 draws.

    {"stage": "lightning-4step", "seconds": 812.5, "entries": [{"step": 50, "phase": "mse", "mse": 0.031}, …]}

An entry is the mean of the log's entries that it stands for; where a stage has phases, none spans two.
"""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from . import config
from .loop import wall_time

ENTRIES = 80
"""At most so many for a stage: enough for a curve, and some kilobytes."""

CLOCK = ("time", "seconds", "per_second")

Entry = dict[str, Any]


def mean(entries: list[Entry]) -> Entry:
    """Means of the numbers; step and phase are the last entry's."""
    found: Entry = {key: entries[-1][key] for key in ("step", "phase") if key in entries[-1]}
    for key in dict.fromkeys(key for entry in entries for key in entry):
        values = [entry[key] for entry in entries if isinstance(entry.get(key), (int, float))]
        if key not in found and key not in CLOCK and values:
            found[key] = float(f"{sum(values) / len(values):.4g}")
    return found


def thinned(entries: list[Entry], most: int = ENTRIES) -> list[Entry]:
    size = -(-len(entries) // most)
    return [mean(part[start:start + size])
            for part in (list(group) for _, group in groupby(entries, lambda entry: entry.get("phase")))
            for start in range(0, len(part), size)]


def write(target: Path) -> list[Path]:
    """Every stage whose log counts steps."""
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for log in sorted((config.WORK / "logs").glob("*.jsonl")):
        entries = [entry for entry in map(json.loads, log.read_text().splitlines()) if "step" in entry]
        if not entries:
            continue
        path = target / f"{log.stem}.json"
        rows = ",\n  ".join(json.dumps(entry) for entry in thinned(entries))
        path.write_text(f'{{"stage": "{log.stem}", "seconds": {wall_time(log.stem):.1f}, "entries": [\n  {rows}\n]}}\n')
        written.append(path)
    return written


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--to", type=Path, default=config.MODELS / "training")
    for path in write(arguments.parse_args().to):
        print(path.name)
