"""Scores a benchmark's pairs with a model and holds them against human judgement."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.datasets import ScoredPair
from eval.methods.lexical import word_overlap
from eval.protocol import spearman
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel
from similarity.pipeline import Progress, compare_pairs, no_progress


def evaluate_task(
    model: LanguageModel,
    task: str,
    pairs: Sequence[ScoredPair],
    config: ComparisonConfig,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return the task's correlations × 100 with their baseline, and each pair's distance."""
    texts = [(pair.first, pair.second) for pair in pairs]
    results = compare_pairs(model, texts, config, progress)
    judgements = [pair.score for pair in pairs]
    return {
        "task": task,
        "pairs": len(pairs),
        "spearman": {
            "trajectories": spearman([-result.distance for result in results], judgements),
            "word overlap": spearman([word_overlap(*pair) for pair in texts], judgements),
        },
        "distances": [result.distance for result in results],
        "fingerprint": Fingerprint(model.info, config).to_dict(),
    }


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all, making its folder where needed.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
