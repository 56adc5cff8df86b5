"""For SentEval's STS and SICK tasks: a batcher, and a similarity in place of the cosine.

SentEval embeds both sides of a pair by `batcher(params, batch)` and calls `similarity(a, b)` on
two rows. Here a row is the number of a text, and the similarity looks both up and compares them::

    hook = SentEvalHook(model, ComparisonConfig())  # by trajectories, as in the paper
    engine = senteval.engine.SE({..., "similarity": hook.similarity}, hook.batcher)
    engine.eval(["STS12", "STS13", "STS14", "STS15", "STS16"])

Pairs are compared one at a time. Tasks that train a classifier on sentence vectors make no sense
with it: there are none.
"""

from collections.abc import Sequence

import numpy as np

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.given import check_several, given_strings
from similarity.models.base import LanguageModel
from similarity.scorers import open_scorer


class SentEvalHook:
    """A batcher and a similarity that belong together.

    Parameters
    ----------
    config
        Of the trajectories: to give one is to compare by them. None compares by the default preset
        of the model.

    Raises
    ------
    ConfigError
        If the model or the configuration is none.
    """

    def __init__(self, model: LanguageModel, config: ComparisonConfig | None = None) -> None:
        self._scorer = open_scorer(model, config=config)
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def batcher(self, _params: object, batch: Sequence[str | Sequence[str]]) -> FloatArray:
        """Return the number of each text, shape "text 1".

        Parameters
        ----------
        batch
            Each text a list of words, as SentEval has it, or a string.

        Raises
        ------
        InputError
            If this is one text, or something else is among the words.
        """
        check_several(batch)
        numbers = [self._number(_joined(words)) for words in batch]
        return np.array(numbers, np.float64)[:, np.newaxis]

    def similarity(self, first: FloatArray, second: FloatArray) -> float:
        """Return the similarity, in [0, 1], of the texts of two rows.

        Raises
        ------
        InputError
            If a row is no number of a text, as a mean of rows is none, or a text has no meaning.
        """
        text, other = self._text(first), self._text(second)
        (score,) = self._scorer.score([(text, other)])
        return score.similarity

    def _text(self, row: FloatArray) -> str:
        numbers = np.ravel(row)
        if len(numbers) != 1 or numbers[0] not in range(len(self._texts)):
            raise InputError(
                f"a row must be the number of a text, as batcher of this hook gives it, got "
                f"{' '.join(str(row).split())[:60]}; rows are no vectors, and have no mean"
            )
        return self._texts[int(numbers[0])]

    def _number(self, text: str) -> int:
        # SentEval's own convention: an empty text is a lone full stop.
        text = text or "."
        if text not in self._numbers:
            self._numbers[text] = len(self._texts)
            self._texts.append(text)
        return self._numbers[text]


def _joined(words: str | Sequence[str]) -> str:
    return words if isinstance(words, str) else " ".join(given_strings(words))
