"""The run's folder: the checkpoint a run goes on from, and the log of its losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


def save(run: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in one step, so that a kill leaves the old one or the new one."""
    temporary = run / "checkpoint.tmp"
    torch.save(state, temporary)
    temporary.replace(run / "checkpoint.pt")


def load(run: Path) -> dict[str, Any] | None:
    """Read the checkpoint; None for a run that has not reached its first one."""
    path = run / "checkpoint.pt"
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def require(run: Path) -> dict[str, Any]:
    """Read the checkpoint of a run that must have one."""
    state = load(run)
    if state is None:
        raise FileNotFoundError(f"no checkpoint.pt in {run}: run training.train first")
    return state


def append_log(run: Path, record: dict[str, float]) -> None:
    """Add one line to `log.jsonl`."""
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(record) + "\n")


def read_log(run: Path) -> list[dict[str, float]]:
    """Read `log.jsonl`, one record a step; empty if there is none. Passes over a torn last line."""
    path = run / "log.jsonl"
    if not path.exists():
        return []
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def cut_log(run: Path, step: int) -> None:
    """Forget what was logged after `step`: it will be computed again."""
    kept = [record for record in read_log(run) if record["step"] <= step]
    text = "".join(json.dumps(record) + "\n" for record in kept)
    (run / "log.jsonl").write_text(text, encoding="utf-8")
