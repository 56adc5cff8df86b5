"""The pair estimators as methods."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from eval.methods.base import Factory, Method, Pair, Setting
from similarity.errors import ConfigError
from similarity.estimators.table import ESTIMATORS, NULL_TEXT, estimate_pairs, get_estimator

# Texts of the bank that `whitened-cosine` reads beside each pair: its cost grows with them.
BANK_TEXTS = 6
# The others that are relative do better, by measurement, with a text that says nothing.
NEEDS_BANK = frozenset({"whitened-cosine"})


class EstimatorMethod(Method):
    """The distance of one estimator, turned round.

    Raises
    ------
    UnsupportedError
        If it needs whole distributions and the model does not tell them.
    ConfigError
        If it needs unlabelled texts and there are none.
    """

    def __init__(self, setting: Setting, name: str) -> None:
        get_estimator(name).check_model(setting.model, setting.config)
        self._model = setting.model
        self._config = replace(setting.config, distance="l1")  # an estimator brings its own
        self._name = name
        self._bank = _spread(setting.unlabelled) if name in NEEDS_BANK else (NULL_TEXT,)
        if not self._bank:
            raise ConfigError(f"{name} needs unlabelled texts to centre and whiten by; give some")
        self.settings: dict[str, Any] = {
            "estimator": name,
            "bank": list(self._bank) if get_estimator(name).relative else [],
            "comparison": self._config.to_dict(),
        }

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return minus the distance of each pair."""
        estimates = estimate_pairs(self._model, pairs, self._name, self._config, self._bank)
        return [-estimate.distance for estimate in estimates]


def _spread(texts: Sequence[str]) -> Sequence[str]:
    """Return a few texts, spread evenly over all."""
    return texts[:: max(1, len(texts) // BANK_TEXTS)][:BANK_TEXTS]


ESTIMATOR_METHODS: dict[str, Factory] = {
    name: partial(EstimatorMethod, name=name) for name in ESTIMATORS
}
