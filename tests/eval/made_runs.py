"""Folders as an evaluation leaves them, with figures that are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from eval.scores import write_scores
from similarity.config import ComparisonConfig
from similarity.digests import digest
from similarity.fingerprint import Fingerprint
from similarity.models.toy import ToyModel

SEVEN = ("stsb-test", *(f"sts{year}-test" for year in range(12, 17)), "sick-r-test")
METHODS = ("trajectories", "word overlap")


def figure(value: float, resamples: int = 300) -> dict[str, float | None]:
    if not resamples:
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": value - 2, "high": value + 2}


def make_run(
    folder: Path,
    tasks: tuple[str, ...] = SEVEN,
    *,
    pairs: int = 60,
    resamples: int = 300,
    **changed: Any,
) -> Path:
    """Write a run; method i of task j has Spearman 10·i + j + 50, and its mean is 1 lower."""
    config = ComparisonConfig.build(n_trajectories=5, max_tokens=4)
    content = {
        "schema": 1,
        "fingerprint": Fingerprint(ToyModel().info, config).to_dict(),
        "tasks": {task: _task(task, j, pairs, resamples) for j, task in enumerate(tasks)},
        "methods": {method: {} for method in METHODS},
        "left_out": {"last token": "this model has | no hidden states"},
        "unlabelled": {},
        "resamples": resamples,
        **(_averages() if tasks == SEVEN else {"averages": {}}),
        "seeds": {},
    }
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content | changed), encoding="utf-8")
    write_scores(folder, _lines(tasks, pairs))
    return folder


def make_ablation(folder: Path) -> Path:
    panels = {
        "distance": {"l1": figure(60.0), "hellinger": figure(61.0)},
        "n": {n: figure(60 - 20 / int(n)) for n in ("1", "5", "10", "20")},
        "length": {n: figure(62 - 20 / int(n), resamples=0) for n in ("1", "5", "10")},
    }
    folder.mkdir(parents=True)
    content = {"task": "stsb-dev", "pairs": 1500, "fingerprint": {}, "spearman": panels}
    (folder / "ablation.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def _task(task: str, j: int, pairs: int, resamples: int) -> dict[str, Any]:
    names = ("images", "news") if j % 2 else ("",)
    behind = {"best": METHODS[1], "all": {METHODS[0]: figure(-10.0, resamples)}}
    methods = _methods(j, names, resamples)
    found = {"pairs": pairs, "sha256": digest(task.encode()), "whole": pairs}
    return {**found, "methods": methods, "behind": behind}


def _methods(j: int, names: tuple[str, ...], resamples: int) -> dict[str, Any]:
    found = {}
    for i, method in enumerate(METHODS):
        value = 50.0 + 10 * i + j
        subsets = {n: {"pairs": 30, "spearman": value + 5, "pearson": None} for n in names}
        found[method] = {
            "spearman": {
                "all": figure(value, resamples),
                "mean": figure(value - 1, resamples),
                "wmean": figure(value - 2, resamples),
                "subsets": subsets,
            },
            "pearson": {"all": None if i else value + 3},
        }
    return found


def _averages() -> dict[str, Any]:
    averages = {
        method: {
            "spearman": 53.0 + 10 * i,
            "low": 52.0 + 10 * i,
            "high": 54.0 + 10 * i,
            "mean": 51.5 + 10 * i,
            "wmean": 51.0 + 10 * i,
            "tasks": list(SEVEN),
        }
        for i, method in enumerate(METHODS)
    }
    behind = {"best": METHODS[1], "all": {METHODS[0]: figure(-9.0)}}
    return {"averages": averages, "average_behind": behind}


def _lines(tasks: tuple[str, ...], pairs: int) -> list[dict[str, Any]]:
    generator = np.random.Generator(np.random.Philox(0))
    lines = []
    for task in tasks:
        for index, judgement in enumerate(generator.integers(0, 26, pairs) / 5):
            distance = abs(1.2 - judgement / 6 + generator.normal(0, 0.25))
            scores = {"trajectories": -float(distance), "word overlap": float(judgement / 5)}
            lines.append(
                {
                    "task": task,
                    "index": index,
                    "subset": "",
                    "judgement": float(judgement),
                    "scores": scores,
                }
            )
    return lines
