"""What is kept of the logs beside the weights."""

import json

from pocket import recorded


def test_thinned_keeps_means_and_phases_apart() -> None:
    entries = [{"time": 1, "step": step, "phase": "mse" if step <= 5 else "warm", "mse": float(step), "seconds": 2.0}
               for step in range(1, 9)]
    assert recorded.thinned(entries, most=4) == [
        {"step": 2, "phase": "mse", "mse": 1.5}, {"step": 4, "phase": "mse", "mse": 3.5},
        {"step": 5, "phase": "mse", "mse": 5.0}, {"step": 7, "phase": "warm", "mse": 6.5},
        {"step": 8, "phase": "warm", "mse": 8.0}]


def test_a_log_becomes_a_record(tmp_path, monkeypatch) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "base.jsonl").write_text('{"time": 1, "step": 50, "mse": 0.5, "seconds": 3.0}\n')
    (logs / "cache.jsonl").write_text('{"time": 1, "shard": "train-000", "seconds": 3.0}\n')
    monkeypatch.setattr(recorded.config, "WORK", tmp_path)
    monkeypatch.setattr(recorded, "wall_time", lambda stage: 3.0)
    paths = recorded.write(tmp_path / "out")
    assert [path.name for path in paths] == ["base.json"]
    assert json.loads(paths[0].read_text()) == {"stage": "base", "seconds": 3.0, "entries": [{"step": 50, "mse": 0.5}]}
