"""The one seam from pairs to scores, whichever way they are compared.

What is compared is a text or, where the model reads images, an image. Where it says text below, an
image may stand too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from similarity.config import Settings
from similarity.errors import InputError
from similarity.fingerprint import Fingerprint
from similarity.images.image import Content, Image
from similarity.models.base import OnProgress, ignore_progress
from similarity.results import Explanation, Score, SimilarityMatrix

Pair = tuple[Content, Content]
TextPair = tuple[str, str]
AnyPair = TypeVar("AnyPair", Pair, TextPair)

# Called with a stage's name and its number of texts; returns the `on_progress` of that stage.
Progress = Callable[[str, int], OnProgress]


def no_progress(_stage: str, _texts: int) -> OnProgress:
    """Report progress to nobody."""
    return ignore_progress


def given_texts(texts: Iterable[Content]) -> list[Content]:
    """Return texts and images as a list, which may come one by one.

    Raises
    ------
    InputError
        If they are none: one text alone, or something else among them.
    """
    check_several(texts)
    found = list(texts)
    for text in found:
        if not isinstance(text, str | Image):
            raise InputError(
                f"a text must be a string, or an image of similarity.images.sources, got "
                f"{_shown(text)}{_remedy(text)}"
            )
    return found


def check_several(texts: object) -> None:
    """Raise InputError if this is one text, or of a kind that has none, and no list of them."""
    if _has_columns(texts):
        raise InputError(
            f"texts must be a list of them, got a {type(texts).__name__} of columns; give the "
            "values of one column, as a list"
        )
    if isinstance(texts, str | bytes | Image) or not isinstance(texts, Iterable):
        raise InputError(f"texts must be a list of them, got {_shown(texts)}")


def given_strings(texts: Iterable[Content]) -> list[str]:
    """Return texts as a list, which may come one by one.

    Raises
    ------
    InputError
        If they are none, or one is an image.
    """
    found = given_texts(texts)
    image = next((text for text in found if isinstance(text, Image)), None)
    if image is not None:
        raise InputError(f"a text must be a string here, got the image {image.name!r}")
    return [str(text) for text in found]


def given_pairs(pairs: Iterable[Pair | TextPair]) -> list[Pair]:
    """Return pairs of texts or images as a list, which may come one by one.

    Raises
    ------
    InputError
        If one is not two texts.
    """
    if _has_columns(pairs):
        raise InputError(
            f"pairs must be a list of pairs of texts, got a {type(pairs).__name__} of columns; "
            "give list(zip(first, second)) of the two that have the texts"
        )
    if isinstance(pairs, str | bytes | Image) or not isinstance(pairs, Iterable):
        raise InputError(f"pairs must be a list of pairs of texts, got {_shown(pairs)}")
    return [_given_pair(pair) for pair in pairs]


def given_text_pairs(pairs: Iterable[TextPair]) -> list[TextPair]:
    """Return pairs of texts as a list; raises InputError as `given_pairs` and `given_strings`."""
    texts = [given_strings([first, second]) for first, second in given_pairs(pairs)]
    return [(first, second) for first, second in texts]


def _given_pair(pair: Pair | TextPair) -> Pair:
    is_one = isinstance(pair, str | bytes | Image | Mapping) or not isinstance(pair, Iterable)
    texts = () if is_one else given_texts(pair)
    if len(texts) != 2:
        raise InputError(f"a pair must be two texts, got {_shown(pair)}")
    return texts[0], texts[1]


def _has_columns(given: object) -> bool:
    """Return whether this is a table or a mapping: of either, names or columns would be read."""
    return isinstance(given, Mapping) or hasattr(given, "columns")


def _remedy(given: object) -> str:
    """Return the end of a message that says how values of pyarrow become texts; else ""."""
    return "; give .to_pylist() of an array of pyarrow" if hasattr(given, "as_py") else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


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
            If a text is empty, not valid Unicode, or too long for the model.
        """

    @abstractmethod
    def explain(
        self, pairs: Sequence[Pair], top: int, progress: Progress = no_progress
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
