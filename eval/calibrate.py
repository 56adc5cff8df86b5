"""Fits the map from distance to similarity on a run's scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets import SEVEN
from eval.methods.scorers import METHOD
from eval.runs import SCORES, read_results
from eval.scores import read_scores
from similarity.calibration import Calibration, comparable
from similarity.errors import ConfigError
from similarity.scales import ORDER, knots_of_judgements, order_of

# Judgements from "on different topics" to "means the same", of all STS tasks.
SCALE = (0.0, 5.0)


def calibrate(
    folder: Path, scale: tuple[float, float] = SCALE, method: str = METHOD
) -> Calibration:
    """Return the calibration that a run's pairs give, for the run's model and a method's settings.

    Parameters
    ----------
    method
        Trajectories, or meaning vectors that lie in a folder or ship.
    scale
        The judgements that mean similarity 0 and 1.

    Raises
    ------
    ConfigError
        If the run is on a test set, has no such method, or a judgement is outside the scale.
    InputError
        If the run cannot be read, or its judgements seem to be distances.
    """
    results = read_results(folder)
    tested = sorted(set(SEVEN) & results["tasks"].keys())
    if tested:
        raise ConfigError(
            f"{folder} is a run on {', '.join(tested)}: fit on pairs that nothing is tested on, "
            "such as stsb-train"
        )
    settings = _settings(results["methods"], method)
    lines = list(read_scores(folder, results.get(SCORES)))
    distances = np.array([-line["scores"][method] for line in lines])
    judgements = np.array([line["judgement"] for line in lines])
    knots, similarities = knots_of_judgements(distances, judgements, scale)
    return Calibration(
        revision=results["fingerprint"]["model"]["revision"],
        settings=comparable(settings),
        fitted_on={
            "tasks": list(results["tasks"]),
            "pairs": len(lines),
            ORDER: order_of(distances, judgements),
        },
        distances=knots,
        similarities=similarities,
    )


def judgements_of(folder: Path) -> list[float]:
    """Return the judgements of a run's pairs, shape "pair".

    Raises
    ------
    InputError
        If the run cannot be read.
    """
    return [line["judgement"] for line in read_scores(folder)]


def _settings(methods: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    allowed = [name for name, of_it in methods.items() if "distance" in of_it]
    if method not in allowed:
        raise ConfigError(
            f"{method!r} is no method of this run with a distance; name one by --method: "
            f"{', '.join(map(repr, allowed)) or 'it has none'}"
        )
    settings: Mapping[str, Any] = methods[method]
    return settings
