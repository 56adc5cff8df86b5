"""The method itself: the distance of two texts' likelihoods of each other's trajectories."""

from collections.abc import Sequence
from typing import Any

from eval.methods.base import Method, Pair, Setting
from similarity.distances import FloatArray
from similarity.pipeline import Progress, no_progress, score_pairs


class Trajectories(Method):
    """Minus the distance of `similarity.compare`."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.settings: dict[str, Any] = setting.config.to_dict()

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return minus the distance, so that more alike is higher."""
        return [score for score, _ in self.scores_and_rows(pairs)]

    def scores_and_rows(
        self, pairs: Sequence[Pair], progress: Progress = no_progress
    ) -> list[tuple[float, FloatArray]]:
        """Return also the log-likelihoods, shape "text=2 trajectory", nats per token."""
        found = score_pairs(self._setting.model, pairs, self._setting.config, progress)
        # Not plain minus: identical texts have 0, and "-0.0" is a poor thing to read in a file.
        return [(0.0 - distance, rows) for distance, rows in found]
