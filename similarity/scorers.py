"""The seam between texts and scores, whichever way the texts are compared."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from similarity.config import ComparisonConfig, Settings
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel
from similarity.pipeline import (
    Progress,
    compare_matrix,
    compare_pairs,
    compare_to_tolerance,
    fingerprint_of,
    no_progress,
)
from similarity.results import Comparison, Score, SimilarityMatrix
from similarity.trajectories import encode_prefixes
from similarity.uncertainty import Tolerance


class Scorer(ABC):
    """A way to compare texts.

    A score depends on its two texts and on the fingerprint, never on what else is asked. It is
    symmetric, and 0 the distance of a text to itself.

    Attributes
    ----------
    fingerprint
        All that its scores depend on.
    """

    fingerprint: Fingerprint[Settings]

    @abstractmethod
    def check(self, texts: Sequence[str]) -> None:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""

    @abstractmethod
    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Progress = no_progress
    ) -> Sequence[Score]:
        """Return the score of each pair, in order.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """

    @abstractmethod
    def matrix(
        self,
        rows: Sequence[str],
        columns: Sequence[str] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return the scores of all `rows` with all `columns`, or of `rows` among themselves.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """


class TrajectoryScorer(Scorer):
    """Compares by trajectories: the paper's way.

    Parameters
    ----------
    tolerance
        Pairs are sampled one by one until their intervals are that tight; matrices are not.

    Raises
    ------
    ConfigError
        If the model cannot score under the configuration's law.
    """

    def __init__(
        self,
        model: LanguageModel,
        config: ComparisonConfig | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        self._model = model
        self._config = config or ComparisonConfig()
        self._tolerance = tolerance
        model.check_scoring(self._config.scoring_law)
        self.fingerprint = fingerprint_of(model, self._config)

    def check(self, texts: Sequence[str]) -> None:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""
        config = self._config
        encode_prefixes(self._model, texts, config.prompt, config.sampling.max_tokens)

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Progress = no_progress
    ) -> Sequence[Comparison]:
        """Return the comparison of each pair; a text that repeats is sampled once."""
        if self._tolerance is None:
            return compare_pairs(self._model, pairs, self._config, progress)
        return [
            compare_to_tolerance(self._model, u, v, self._tolerance, self._config, progress)
            for u, v in pairs
        ]

    def matrix(
        self,
        rows: Sequence[str],
        columns: Sequence[str] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return all comparisons, at the cost of N + M samplings and N·M cross-scorings."""
        return compare_matrix(self._model, rows, columns, self._config, progress)
