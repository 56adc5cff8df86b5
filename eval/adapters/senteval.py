"""For SentEval's STS and SICK tasks: a batcher, and a similarity in place of the cosine.

SentEval embeds both sides of a pair by `batcher(params, batch)` and calls `similarity(a, b)` on
two rows. Here a row is the number of a text, and the similarity looks both up and compares them::

    hook = SentEvalHook(model)
    engine = senteval.engine.SE({..., "similarity": hook.similarity}, hook.batcher)
    engine.eval(["STS12", "STS13", "STS14", "STS15", "STS16"])

Pairs are compared one at a time. Tasks that train a classifier on sentence vectors make no sense
with it: there are none.
"""

from collections.abc import Sequence

import numpy as np

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.models.base import LanguageModel
from similarity.scorers import open_scorer


class SentEvalHook:
    """A batcher and a similarity that belong together."""

    def __init__(self, model: LanguageModel, config: ComparisonConfig | None = None) -> None:
        self._scorer = open_scorer(model, config=config)
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def batcher(self, _params: object, batch: Sequence[Sequence[str]]) -> FloatArray:
        """Return the number of each text, shape "text 1"; a text comes as a list of words."""
        return np.array([[self._number(" ".join(words))] for words in batch], np.float64)

    def similarity(self, first: FloatArray, second: FloatArray) -> float:
        """Return the similarity, in [0, 1], of the texts of two rows."""
        text, other = (self._texts[int(np.ravel(row)[0])] for row in (first, second))
        (score,) = self._scorer.score([(text, other)])
        return score.similarity

    def _number(self, text: str) -> int:
        # SentEval's own convention: an empty text is a lone full stop.
        text = text or "."
        if text not in self._numbers:
            self._numbers[text] = len(self._texts)
            self._texts.append(text)
        return self._numbers[text]
