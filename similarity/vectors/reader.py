"""What reads the features of texts, one class for each kind of group."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.errors import TextTooLongError
from similarity.images.image import Content, name_of
from similarity.models.base import Ability, LanguageModel, OnProgress, ignore_progress
from similarity.vectors.whitening import Whitening, WhiteningFit

Arrays = dict[str, Any]


class Reader(ABC):
    """Reads the features of texts, and makes the map that whitens them.

    Attributes
    ----------
    needs
        What it needs of a model beyond token ids.
    """

    needs: frozenset[Ability] = frozenset()

    @abstractmethod
    def rows(
        self,
        model: LanguageModel,
        texts: Sequence[Content],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return the features of texts, shape "text feature".

        `on_progress` is called, in the caller's thread, with the number of texts read since the
        last call, or 0; not at all where that takes no time.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        UnsupportedError
            If one is an image, and the model or this group reads none.
        """

    @abstractmethod
    def tokens(self, model: LanguageModel, texts: Sequence[Content]) -> list[int]:
        """Return how many tokens of each text the model reads; raises as `rows` does."""

    @abstractmethod
    def whitening(
        self, model: LanguageModel, fit: WhiteningFit, registers: FloatArray
    ) -> Whitening:
        """Return the map from features to the group's part of vectors, fitted to some rows.

        Parameters
        ----------
        registers
            The mean row of each register of the text, shape "register feature"; may be empty.
        """

    def emphasis(self, rows: Rows) -> FloatArray:
        """Return the addition to the group's weight in the vector of each text, shape "text"."""
        return np.zeros(len(rows))

    def arrays(self) -> Arrays:
        """Return the arrays from which, with the settings, the reader can be made again."""
        return {}


def tokens_of_all(
    readers: Sequence[Reader], model: LanguageModel, texts: Sequence[Content]
) -> list[int]:
    """Return how many tokens of each text some readers have the model read together.

    Raises
    ------
    TextTooLongError
        Of the first text that is found too long, by the reader that leaves it the least room:
        whoever shortens it by so much is not refused by another.
    InputError
        As `Reader.rows`.
    """
    try:
        read = [reader.tokens(model, texts) for reader in readers]
    except TextTooLongError as first:
        named = [text for text in texts if name_of(text) == first.text][:1]
        refusals = [refusal for reader in readers if (refusal := _refusal(reader, model, named))]
        # One without a text says what leaves no room for any.
        raise max([first, *refusals], key=lambda one: (one.text is None, one.excess or 0)) from None
    return [sum(of_text) for of_text in zip(*read, strict=True)]


def _refusal(
    reader: Reader, model: LanguageModel, texts: Sequence[Content]
) -> TextTooLongError | None:
    try:
        reader.tokens(model, texts)
    except TextTooLongError as error:
        return error
    return None
