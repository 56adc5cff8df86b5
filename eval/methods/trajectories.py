"""The method itself: the distance of two texts' likelihoods of each other's trajectories."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from eval.methods.base import Factory, Method, Pair, Setting
from similarity.arrays import FloatArray
from similarity.pipeline import Progress, no_progress, score_pairs
from similarity.prompts import PROMPTS

METHOD = "trajectories"
# What the method is called with a seed that is not the run's first: this and the number.
OTHER_SEED = f"{METHOD}, seed "


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


def prompted(setting: Setting, prompt: str) -> Trajectories:
    """Return the method with a prompt of the paper, and all else as it is set."""
    full_stop = setting.config.prompt.full_stop
    chosen = replace(PROMPTS[prompt], full_stop=full_stop)
    return Trajectories(replace(setting, config=replace(setting.config, prompt=chosen)))


# Beside the run's own prompt, so that one run tells what a prompt is worth.
PROMPT_METHODS: dict[str, Factory] = {
    f"{METHOD}, {name}": partial(prompted, prompt=name)
    for name, prompt in PROMPTS.items()
    if prompt.before or prompt.after
}
