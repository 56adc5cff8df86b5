"""The one seam from pairs to scores, whichever way they are compared.

What is compared is a text or, where the model reads images, an image. Where it says text below, an
image may stand too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from similarity.config import Settings
from similarity.fingerprint import Fingerprint
from similarity.given import Pair, TextPair
from similarity.images.image import Content
from similarity.models.base import OnProgress, ignore_progress
from similarity.results import Explanation, Score, SimilarityMatrix

AnyPair = TypeVar("AnyPair", Pair, TextPair)

# Called with a stage's name and its number of texts; returns the `on_progress` of that stage.
Progress = Callable[[str, int], OnProgress]


def no_progress(_stage: str, _texts: int) -> OnProgress:
    """Report progress to nobody."""
    return ignore_progress


def counted(stage: str, pairs: Sequence[AnyPair], progress: Progress) -> Iterator[AnyPair]:
    """Yield pairs, counted as they are scored; what `on_progress` raises ends the work."""
    on_progress = progress(stage, len(pairs))
    for pair in pairs:
        yield pair
        on_progress(1)


class Scorer(ABC):
    """Compares texts.

    A score depends on its two texts and on the fingerprint, never on the other pairs. It is
    symmetric. The distance of a text to itself is 0.

    Attributes
    ----------
    fingerprint
        All that its scores depend on.
    truncate
        What is done with texts that are too long: a name in TRUNCATIONS of
        `similarity.texts.truncation`.
    """

    fingerprint: Fingerprint[Settings]
    truncate: str = "refuse"

    @abstractmethod
    def check(self, texts: Sequence[Content]) -> None:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model.

        UnsupportedError, if one is an image and the model or the preset reads none.
        """

    @abstractmethod
    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> Sequence[Score]:
        """Return the score of each pair, in order. A text that repeats is read once.

        All texts are checked before the model is called.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """

    @abstractmethod
    def matrix(
        self,
        rows: Sequence[Content],
        columns: Sequence[Content] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return the scores of all `rows` with all `columns`, or of `rows` among themselves.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model, or the scores need
            more memory than is free.
        """

    @abstractmethod
    def explain(
        self, pairs: Sequence[Pair], top: int = 5, progress: Progress = no_progress
    ) -> Sequence[Explanation]:
        """Return the score of each pair, as `score` does, with what it is made of.

        Parameters
        ----------
        top
            How many items of each kind to give, the most decisive first.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
