"""The seam between a benchmark and a way to score its pairs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from similarity.config import ComparisonConfig
from similarity.models.base import LanguageModel
from similarity.scorer import Progress, no_progress

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a method may build on.

    Parameters
    ----------
    model
        The language model that every method of a run shares.
    config
        Of the trajectories; other methods take its prompt and full stop only.
    unlabelled
        Texts without judgements, none of them in the task, to fit statistics on.
    kept
        Folder where what was fitted is kept; None keeps nothing.
    progress
        Called with how far fitting and scoring are.
    """

    model: LanguageModel
    config: ComparisonConfig = field(default_factory=ComparisonConfig)
    unlabelled: Sequence[str] = ()
    kept: Path | None = None
    progress: Progress = no_progress


class Method(ABC):
    """Scores pairs of texts: the higher, the more alike.

    A score depends on the pair, the method's `settings` and what it was made from, never on the
    other pairs. All fitting is done when it is made; the same input gives the same method.

    Attributes
    ----------
    settings
        All that its scores depend on besides the model, as plain values for a result file.
    """

    settings: dict[str, Any]

    @abstractmethod
    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the score of each pair, in order."""


# Makes a method, or raises UnsupportedError, MissingDependencyError or ConfigError, whose text
# says why there is none for this model or setting: it is then left out of the table.
Factory = Callable[[Setting], Method]
